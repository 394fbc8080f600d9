"""Record pictures with their labels from a CARLA server in synchronous mode.

    python 01_synchronous_mode_recording.py                   record into dataset/ with the constants below
    python 01_synchronous_mode_recording.py --pictures 50     any constant is a flag too

A car drives by itself through the town that the server shows. Every picture comes with the labels of the
same frame from the same pose; labels.csv says what they mean. An existing dataset is added to.
"""

import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from segmentation.errors import UserError
from segmentation.flags import require_at_least, run
from segmentation.images import write_png
from segmentation.labels import LabelTable, carla_table, read_labels
from segmentation.recording.cameras import camera_pair
from segmentation.recording.server import TRAFFIC_MANAGER_PORT, connect, synchronous_mode

HOST = "127.0.0.1"  # where the CARLA server runs
PORT = 2000  # its first port
TIMEOUT = 20.0  # seconds to wait for the server before giving up

OUTPUT = Path("dataset")  # dataset folder; made when missing
PICTURES = 200  # to record
EVERY = 10  # simulated frames between two pictures; neighbouring frames are near copies
FRAMES_PER_SECOND = 20.0  # of simulated time

SIZE = (800, 600)  # width and height of the pictures, pixels
FIELD_OF_VIEW = 90.0  # degrees, horizontal
CAMERA_HEIGHT = 1.7  # metres; of both cameras


def main(settings: Any) -> None:
    """Connect, drive, record; leave the server as it was."""
    require_at_least(1, settings, "size", "pictures", "every", "frames_per_second")
    client = connect(settings.host, settings.port, settings.timeout)
    labels = write_labels(settings.output, client.get_server_version())
    run_name = time.strftime("%Y%m%d_%H%M%S")
    with synchronous_mode(client, settings.frames_per_second) as world:
        vehicle = spawn_car(world)
        try:
            record(settings, world, vehicle, labels, run_name)
        finally:
            vehicle.destroy()
    print(f"{settings.pictures} pictures recorded: {settings.output}")


def write_labels(folder: Path, version: str) -> LabelTable:
    """The table that fits the server's version, written to the dataset if it has none yet."""
    table = read_labels(carla_table(version))
    path = folder / "labels.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(table.to_csv())
    elif [(row.id, row.name) for row in read_labels(path).rows] != [(row.id, row.name) for row in table.rows]:
        raise UserError(f"{path}: has other labels than CARLA {version}; record into another folder with --output")
    return table


def spawn_car(world: Any) -> Any:
    """A car that the Traffic Manager drives."""
    blueprint = world.get_blueprint_library().filter("vehicle.*")[0]
    for place in world.get_map().get_spawn_points():
        vehicle = world.try_spawn_actor(blueprint, place)
        if vehicle is not None:
            vehicle.set_autopilot(True, TRAFFIC_MANAGER_PORT)
            return vehicle
    raise UserError("every spawn point of the town is taken; restart the server")


def record(settings: Any, world: Any, vehicle: Any, labels: LabelTable, run_name: str) -> None:
    """Tick the world and write one triple every so many frames."""
    with camera_pair(
        world,
        vehicle,
        size=settings.size,
        field_of_view=settings.field_of_view,
        height=settings.camera_height,
        timeout=settings.timeout,
    ) as cameras:
        for number in tqdm(range(settings.pictures), desc="Recording", unit="picture"):
            for _ in range(settings.every):
                frame = world.tick(settings.timeout)
            picture, ids = cameras.read(frame)
            name = f"{run_name}_{number:06d}"
            write_png(settings.output / "rgb" / f"rgb_{name}.png", picture)
            write_png(settings.output / "seg_raw" / f"seg_raw_{name}.png", ids)
            write_png(settings.output / "seg" / f"seg_{name}.png", labels.colourise_ids(ids))


if __name__ == "__main__":
    run(main)
