"""Record images and their labels from a CARLA server in synchronous mode.

    python 01_synchronous_mode_recording.py                 record into dataset/ with the constants below
    python 01_synchronous_mode_recording.py --images 50     every constant is also a flag
    python 01_synchronous_mode_recording.py --towns Eastfield Millbrook --weathers ClearNoon WetSunset
    python 01_synchronous_mode_recording.py --driving autopilot --vehicles 60

If no CARLA server runs on this machine, the embedded town is recorded. An image and its labels come from the same frame
and pose; labels.csv lists what the labels mean, frames.csv where and when each image was taken. New images are added to
an existing dataset. After Ctrl-C, Escape or a power cut, the same command continues.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Literal
from zlib import crc32

from tqdm import tqdm

from recording.ego_vehicle import AutopilotDriver, Driver, TeleportDriver, spawn_ego_vehicle
from recording.frame_filter import FrameFilter, RareLabels, require_known_labels
from recording.frame_log import open_frame_log
from recording.preview import Preview, open_preview
from recording.run import Run
from recording.scene import Scene
from recording.sensors import ExtraSensor, Pose, RigSettings, camera_rig
from recording.server import Server, open_server
from recording.supervisor import continue_in_child, graceful_shutdown
from recording.synchronous_mode import synchronous_mode, tick, traffic_manager
from recording.town import find_towns, load_town
from recording.traffic import TrafficSettings, spawn_traffic
from recording.weather import require_weathers
from recording.writer import Writer, open_writer, write_label_table
from segmentation import flags
from segmentation.errors import UserError
from segmentation.types import Size

# ------------------------------------------------------------------------- what most people change
HOST = "127.0.0.1"  # address of the CARLA server
PORT = 2000  # its port; if nothing listens there on this machine, the embedded town starts on a free one
OUTPUT = Path("dataset")  # dataset folder; created if missing
TOWNS: tuple[str, ...] = ()  # such as Eastfield, Millbrook, Westgate of the embedded town; none: the one that is loaded
WEATHERS: tuple[str, ...] = ("ClearNoon",)  # CARLA's presets; every town is recorded in each
IMAGES = 200  # how many to record per camera, town and weather
SIZE: Size = (360, 240)  # width and height of the images, pixels
VEHICLES = 40  # other vehicles, half of them cars
WALKERS = 60  # pedestrians
SEED = 1  # determines traffic and route; another seed records other images

# ----------------------------------------------------------------------------------------- cameras
CAMERAS: tuple[Pose, ...] = (
    (1.2, 0.0, 1.7, 0.0, 0.0, 0.0),
)  # six numbers per camera: x forward, y right, z up in metres from the vehicle; pitch, yaw, roll in degrees
FIELD_OF_VIEW = 90.0  # horizontal, degrees
EXTRA_SENSORS: tuple[ExtraSensor, ...] = ()  # sensors to record besides colour and label ids

# ----------------------------------------------------------------------------------------- driving
DRIVING: Literal["teleport", "autopilot"] = "teleport"  # teleport: from waypoint to waypoint, never stuck
STEP_METRES = 1.5  # teleport: distance between two waypoints
JUMP_METRES = 60.0  # teleport: distance after which it continues elsewhere in the town; 0: never
EVERY = 10  # autopilot: frames from one image to the next; neighbouring frames are nearly identical
VEHICLE = "vehicle.tesla.model3"  # blueprint of the ego vehicle, which carries the cameras

# ---------------------------------------------------------------------------- which frames are kept
KEEP_METRES = 4.0  # keep an image if its camera has moved this far since the last kept one
KEEP_CHANGE = 0.1  # or if this share of its labels has changed, 0 to 1; above 1: never
RARE_LABELS: tuple[str, ...] = ("Pedestrians", "Rider", "TrafficLight", "TrafficSigns")  # names in labels.csv
RARE_SHARE = 0.0  # 0 to 1: share of the images that should show each of them; others are skipped, 30 in a row at most
RARE_PIXELS = 0.001  # 0 to 1: an image shows a label if at least this share of its pixels has it

# ----------------------------------------------------------------------------- server, this machine
TIMEOUT = 20.0  # seconds to wait for an answer or an image before giving up
FRAMES_PER_SECOND = 20.0  # of simulated time; CARLA recommends 10 or more for the Traffic Manager
WRITERS = 2  # threads that compress and write files; use as many as cores
SMALL_FILES = False  # images are a sixth smaller, but take several times longer to compress
WINDOW = True  # show a preview if there is a display; Escape stops the recording


def main() -> None:
    """Find a server, record every town in every weather, and leave the server as it was."""
    check_constants()
    continue_in_child()  # the carla package can crash or hang, which the parent process then reports
    with graceful_shutdown(), ExitStack() as stack:
        # Check everything that can be checked before the server starts: a town takes a while to load.
        require_weathers(WEATHERS)
        frame_log = stack.enter_context(open_frame_log(OUTPUT))
        server = stack.enter_context(open_server(HOST, PORT, TIMEOUT, SEED))
        stack.enter_context(server.user_errors())
        towns = find_towns(server, TOWNS)
        label_table = write_label_table(OUTPUT, server.version)
        if RARE_SHARE > 0:
            require_known_labels(label_table, RARE_LABELS)
        stack.callback(lambda: print(f"{OUTPUT}: {frame_log.total} images"))
        writer = stack.enter_context(open_writer(OUTPUT, frame_log, label_table, WRITERS, SMALL_FILES))
        preview = stack.enter_context(open_preview(WINDOW, label_table))
        total = len(towns) * len(WEATHERS) * len(CAMERAS) * IMAGES
        progress = stack.enter_context(tqdm(total=total, desc="Recording", unit="image", dynamic_ncols=True))
        for town in towns:
            record_town(server, load_town(server, town), writer, preview, progress)
            if preview.stopped:
                break


def check_constants() -> None:
    """Raise `UserError` for impossible values before anything is started."""
    flags.require_at_least(1, size=SIZE, images=IMAGES, frames_per_second=FRAMES_PER_SECOND)
    flags.require_at_least(1, every=EVERY, writers=WRITERS)
    flags.require_at_least(0, vehicles=VEHICLES, walkers=WALKERS, jump_metres=JUMP_METRES, seed=SEED)
    flags.require_at_least(0, keep_metres=KEEP_METRES, keep_change=KEEP_CHANGE)
    flags.require_at_least(0.1, timeout=TIMEOUT, step_metres=STEP_METRES, field_of_view=FIELD_OF_VIEW)
    if not 1 <= PORT <= 65535:
        raise UserError(f"--port is {PORT}; use a number from 1 to 65535")
    for flag, share in (("--rare-share", RARE_SHARE), ("--rare-pixels", RARE_PIXELS)):
        if not 0 <= share <= 1:
            raise UserError(f"{flag} is {share}; use 0 to 1")
    if not CAMERAS or not WEATHERS:
        raise UserError("--cameras or --weathers is empty; give at least one of each")
    if FIELD_OF_VIEW >= 180:
        raise UserError(f"--field-of-view is {FIELD_OF_VIEW}; use less than 180 degrees")


def record_town(server: Server, town: str, writer: Writer, preview: Preview, progress: tqdm) -> None:
    """Record a town in every weather that lacks images.

    A drive is one weather; a run is what one camera sees of it.
    """
    frame_log = writer.frame_log
    drives = [runs_of(town, weather, server.version) for weather in dict.fromkeys(WEATHERS)]
    for run in chain(*drives):
        frame_log.repair(run.name)
        frame_log.require_same_settings(run.name, SIZE, FIELD_OF_VIEW, DRIVING)
        progress.initial = progress.n = progress.n + min(IMAGES, frame_log.count(run.name))
    unfinished = [runs for runs in drives if any(frame_log.count(run.name) < IMAGES for run in runs)]
    if not unfinished:
        tqdm.write(f"{town}: already recorded; use a higher --images or another --seed for more.")
        return
    seed = crc32(f"{SEED} {progress.n}".encode()) % 2**31  # a continued recording takes another route
    with open_scene(server, town, seed) as scene:
        for runs in unfinished:
            record_drive(scene, runs, writer, preview, progress)
            if preview.stopped:
                break


def runs_of(town: str, weather: str, version: str) -> list[Run]:
    """Return the runs of one drive, one per camera."""
    return [Run(town, weather, camera, DRIVING, SEED, version) for camera in range(len(CAMERAS))]


@contextmanager
def open_scene(server: Server, town: str, seed: int) -> Iterator[Scene]:
    """Start synchronous mode, traffic, the ego vehicle and its cameras; undo all of it at the end."""
    with ExitStack() as stack:
        world = stack.enter_context(synchronous_mode(server, FRAMES_PER_SECOND))
        manager = None
        if VEHICLES or DRIVING == "autopilot":
            manager = stack.enter_context(traffic_manager(server, seed))
        vehicle = spawn_ego_vehicle(world, VEHICLE, seed)
        tick(world, TIMEOUT)  # so that the client knows where the vehicle is and traffic keeps its distance
        spawn_traffic(server, world, manager, TrafficSettings(VEHICLES, WALKERS, seed))
        driver: Driver
        if DRIVING == "teleport":
            driver = TeleportDriver(world, vehicle, STEP_METRES, JUMP_METRES, seed)
        else:
            driver = AutopilotDriver(vehicle, manager)
        cameras = RigSettings(CAMERAS, SIZE, FIELD_OF_VIEW, EXTRA_SENSORS)
        rig = stack.enter_context(camera_rig(world, vehicle, cameras, TIMEOUT))
        scene = Scene(server, world, vehicle, driver, rig)
        stack.callback(lambda: tqdm.write(f"{town}: {scene.counts}"))
        yield scene


def record_drive(scene: Scene, runs: list[Run], writer: Writer, preview: Preview, progress: tqdm) -> None:
    """Record until every run has IMAGES images or the user stops it; all runs keep the same frames."""
    missing = IMAGES - min(writer.frame_log.count(run.name) for run in runs)
    number = max(writer.frame_log.next_number(run.name) for run in runs)
    rare_labels = RareLabels(RARE_LABELS, RARE_SHARE, RARE_PIXELS)
    frame_filter = FrameFilter(writer.label_table, KEEP_METRES, KEEP_CHANGE, rare_labels)
    counts = scene.counts
    scene.change_weather(runs[0].weather)

    while missing and not preview.stopped:
        frame = scene.drive(ticks=1 if DRIVING == "teleport" else EVERY)
        views = scene.rig.read(frame)
        counts.dropped = scene.rig.dropped
        if views is None:
            continue  # an image of this frame is missing or unusable
        if frame_filter.accepts(views):
            for run, view in zip(runs, views, strict=True):
                writer.write(run.row(number, view, scene.speed), view)
            missing, number = missing - 1, number + 1
            counts.kept += len(views)
            progress.update(len(views))
        else:
            counts.skipped += len(views)
        progress.set_postfix(skipped=counts.skipped, dropped=counts.dropped, refresh=False)
        preview.show(views[0], runs[0].name, counts)


if __name__ == "__main__":
    flags.run(main)
