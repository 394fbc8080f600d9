"""Record pictures with their labels from a CARLA server in synchronous mode.

    python 01_synchronous_mode_recording.py                   record into dataset/ with the constants below
    python 01_synchronous_mode_recording.py --pictures 50     any constant is a flag too
    python 01_synchronous_mode_recording.py --towns Eastfield Millbrook --weathers ClearNoon WetSunset
    python 01_synchronous_mode_recording.py --driving autopilot --vehicles 60

Without a CARLA server on this machine, the embedded town records instead. Every picture comes with the labels
of the same frame from the same pose; labels.csv says what they mean, frames.csv where and when each was taken.
An existing dataset is added to. After Ctrl-C, Escape or a power cut, the same command goes on.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from tqdm import tqdm

from segmentation.errors import UserError
from segmentation.flags import require_at_least, run
from segmentation.recording.cameras import camera_rig
from segmentation.recording.driving import Autopilot, Teleport, spawn_car
from segmentation.recording.finding import Simulator, ends_cleanly, simulator
from segmentation.recording.frames import open_frames
from segmentation.recording.guarding import go_on_in_a_child
from segmentation.recording.keeping import Keeper, require_known
from segmentation.recording.session import Session, full_names, show_town, weather_named
from segmentation.recording.synchronous import synchronous_mode, traffic_manager
from segmentation.recording.traffic import spawn_traffic
from segmentation.recording.watching import Window, open_window
from segmentation.recording.writing import Writer, open_writer, write_labels

# ----------------------------------------------------------------------------------------- simulator
HOST = "127.0.0.1"  # where the CARLA server runs
PORT = 2000  # its first port; where none answers on this machine, the embedded town is started on a free one
TIMEOUT = 20.0  # seconds to wait for an answer or a picture before giving up
FRAMES_PER_SECOND = 20.0  # of simulated time; the Traffic Manager wants 10 or more

# ------------------------------------------------------------------------------------------ dataset
OUTPUT = Path("dataset")  # dataset folder; made when missing
TOWNS: tuple[str, ...] = ()  # to record, one after the other; none: the one that the server shows
WEATHERS: tuple[str, ...] = ("ClearNoon",)  # CARLA's names; every town is recorded in each
PICTURES = 200  # of every camera in every town and weather
SEED = 1  # decides traffic and way; another one records other pictures

# ------------------------------------------------------------------------------------------ cameras
SIZE = (360, 240)  # width and height of the pictures, pixels
FIELD_OF_VIEW = 90.0  # degrees, horizontal
CAMERAS: tuple[tuple[float, float, float, float, float, float], ...] = (
    (1.2, 0.0, 1.7, 0.0, 0.0, 0.0),
)  # x forward, y right, z up in metres from the car; pitch, yaw, roll in degrees; six numbers for each camera
DEPTH = False  # also write depth/, CARLA's code for metres in three bytes
INSTANCE = False  # also write instance/, which tells things of one label apart

# ------------------------------------------------------------------------------------------- streets
DRIVING: Literal["teleport", "autopilot"] = "teleport"  # teleport: from waypoint to waypoint, never stuck
STEP_METRES = 1.5  # between two waypoints of teleport
JUMP_METRES = 60.0  # teleport goes on elsewhere in the town after so many; 0: never
EVERY = 10  # frames between two pictures of autopilot; neighbouring frames are near copies
VEHICLE = "vehicle.tesla.model3"  # the car that carries the cameras
VEHICLES = 40  # other vehicles, half of them cars
WALKERS = 60  # pedestrians

# ------------------------------------------------------------------------------------------- keeping
KEEP_METRES = 4.0  # a picture is kept when its camera moved so far since the last kept one
KEEP_CHANGE = 0.1  # 0 to 1: or when so great a share of its labels changed
RARE_LABELS: tuple[str, ...] = ("Pedestrians", "Rider", "TrafficLight", "TrafficSigns")  # names in labels.csv
RARE_SHARE = 0.0  # 0 to 1: of the pictures shall show each of them; others are passed over until they do
RARE_PIXELS = 0.001  # 0 to 1: of a picture's pixels, from which on it shows a label

# -------------------------------------------------------------------------------------- this machine
SMALL_FILES = False  # compress pictures by a sixth more, several times as slowly
WRITERS = 2  # threads that compress and write; as many as cores
WINDOW = True  # show what is recorded where there is a display; Escape stops


def main(settings: Any) -> None:
    """Find a simulator; record every town in every weather; leave the simulator as it was."""
    check(settings)
    go_on_in_a_child()
    with ends_cleanly(), ExitStack() as stack:
        # All that can be tried is tried before anything is started: a town takes a while.
        for weather in settings.weathers:
            weather_named(weather)
        frames = stack.enter_context(open_frames(settings.output))
        server = stack.enter_context(simulator(settings.host, settings.port, settings.timeout, settings.seed))
        stack.enter_context(server.told_simply())
        towns = full_names(server, settings.towns) or [""]
        table = write_labels(settings.output, server.version)
        if settings.rare_share > 0:
            require_known(table, settings.rare_labels)
        stack.callback(lambda: print(f"{settings.output}: {frames.total} pictures"))
        writer = stack.enter_context(
            open_writer(settings.output, frames, table, settings.writers, settings.small_files)
        )
        window = stack.enter_context(open_window(settings.window, table))
        total = len(towns) * len(settings.weathers) * len(settings.cameras) * settings.pictures
        bar = stack.enter_context(tqdm(total=total, desc="Recording", unit="picture", dynamic_ncols=True))
        for town in towns:
            if not record_town(settings, server, town, writer, window, bar):
                break


def check(settings: Any) -> None:
    """Refuse impossible constants before anything is started."""
    require_at_least(1, settings, "size", "pictures", "every", "frames_per_second", "writers")
    require_at_least(0, settings, "vehicles", "walkers", "jump_metres", "keep_metres", "keep_change", "seed")
    require_at_least(0.1, settings, "timeout", "step_metres", "field_of_view")
    for flag, share in (("--rare-share", settings.rare_share), ("--rare-pixels", settings.rare_pixels)):
        if not 0 <= share <= 1:
            raise UserError(f"{flag} is {share}; use 0 to 1")
    if not settings.cameras or not settings.weathers:
        raise UserError("--cameras and --weathers need one each at least")
    if settings.field_of_view >= 180:
        raise UserError(f"--field-of-view is {settings.field_of_view}; use less than 180 degrees")


def record_town(settings: Any, server: Simulator, town: str, writer: Writer, window: Window, bar: tqdm) -> bool:
    """Record one town in all weathers; False when the user stopped it in the window."""
    town = show_town(server, town)
    plan = {weather: runs_of(settings, town, weather) for weather in settings.weathers}
    for runs in plan.values():
        for name in runs:
            writer.frames.mend(name)
            writer.frames.require_alike(name, settings.size, settings.field_of_view, settings.driving)
            bar.initial = bar.n = bar.n + min(settings.pictures, writer.frames.count(name))
    plan = {w: runs for w, runs in plan.items() if any(writer.frames.count(r) < settings.pictures for r in runs)}
    if not plan:
        tqdm.write(f"{town}: recorded already; more with a higher --pictures or another --seed.")
        return True
    with streets(settings, server, town, writer, window, bar) as session:
        for weather, runs in plan.items():
            keeper = Keeper(
                writer.table,
                metres=settings.keep_metres,
                change=settings.keep_change,
                rare=settings.rare_labels,
                rare_share=settings.rare_share,
                rare_pixels=settings.rare_pixels,
            )
            if not session.record(runs, weather, settings.pictures, keeper):
                return False
    return True


def runs_of(settings: Any, town: str, weather: str) -> list[str]:
    """The names of a town's runs in one weather, one for each camera; equal settings go on with equal runs."""
    return [f"{town}_{weather}_seed{settings.seed}_camera{number}" for number in range(len(settings.cameras))]


@contextmanager
def streets(
    settings: Any, server: Simulator, town: str, writer: Writer, window: Window, bar: tqdm
) -> Iterator[Session]:
    """The town in synchronous mode, with traffic, a car and its cameras; all is put back in the end."""
    # A run that goes on takes other ways than before.
    seed = crc32(f"{settings.seed} {bar.n}".encode()) % 2**31
    with ExitStack() as stack:
        world = stack.enter_context(synchronous_mode(server, settings.frames_per_second))
        manager = None
        if settings.vehicles or settings.driving == "autopilot":
            manager = stack.enter_context(traffic_manager(server, seed))
        vehicle = spawn_car(world, settings.vehicle, seed)
        world.tick(settings.timeout)
        spawn_traffic(server, world, manager, settings.vehicles, settings.walkers, seed)
        teleport = settings.driving == "teleport"
        if teleport:
            driver: Any = Teleport(world, vehicle, settings.step_metres, settings.jump_metres, seed)
        else:
            driver = Autopilot(vehicle, manager)
        rig = stack.enter_context(
            camera_rig(
                world,
                vehicle,
                settings.cameras,
                size=settings.size,
                field_of_view=settings.field_of_view,
                kinds=["rgb", "ids", *["depth"] * settings.depth, *["instance"] * settings.instance],
                timeout=settings.timeout,
            )
        )
        constants = {"town": town, "driving": settings.driving, "seed": settings.seed, "version": server.version}
        ticks = 1 if teleport else settings.every
        session = Session(server, world, vehicle, driver, rig, writer, window, bar, ticks, constants)
        stack.callback(lambda: tqdm.write(f"{town}: {session.tally}"))
        yield session


if __name__ == "__main__":
    run(main)
