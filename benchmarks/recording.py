"""How much recording slows a simulator down, and how many triples a second can be written.

python -m benchmarks.recording

First, in the embedded town: the tick rate of the recorder, which writes every frame, against that of a client
that receives the same two cameras and writes nothing; both drive the same way, and take turns. Then, against a
server that sends one constant pair of pictures: triples a second, until the last is written.
"""

import contextlib
import multiprocessing
import os
import platform
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tqdm import tqdm

from segmentation.flags import run
from segmentation.labels import Bytes
from segmentation.recording.cameras import KINDS, Rig, camera_rig
from segmentation.recording.driving import Teleport, spawn_car
from segmentation.recording.finding import Simulator, connect, simulator
from segmentation.recording.frames import open_frames
from segmentation.recording.keeping import Keeper
from segmentation.recording.session import Session
from segmentation.recording.synchronous import synchronous_mode
from segmentation.recording.watching import Window
from segmentation.recording.writing import open_writer, write_labels

SIZE = (800, 600)  # width and height, pixels
POSE = (1.2, 0.0, 1.7, 0.0, 0.0, 0.0)  # of both cameras on the car
STEP_METRES = 1.5  # of the car between two ticks
TICKS = 40  # of each client in each round, in the embedded town
ROUNDS = 5  # in which the two clients take turns
TRIPLES = 300  # written from the constant server
WRITERS = 2  # as in 01
TIMEOUT = 60.0  # seconds


def main(settings: Any) -> None:
    """Measure both, print the rates and their ratios."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {settings.size} pixels")
    with tempfile.TemporaryDirectory() as folder, simulator("127.0.0.1", 1, settings.timeout, 1) as town:
        silent, recorder, pair = compare(settings, town, Path(folder))
    ratio = statistics.median(r / s for r, s in zip(recorder, silent, strict=True))
    print(
        f"embedded town: {statistics.median(silent):.2f} ticks/s received alone, {statistics.median(recorder):.2f} "
        f"recorded, ratio {ratio:.2f} (median of {settings.rounds} rounds)"
    )
    with tempfile.TemporaryDirectory() as folder, constant_server(*pair) as port:
        server = connect("127.0.0.1", port, settings.timeout)
        with car(settings, server) as (world, vehicle):
            received = receive(settings, world, vehicle, settings.triples)
            written = record(settings, server, world, vehicle, Path(folder), settings.triples)
    print(f"constant pictures: {received:.1f} pairs/s received alone, {written:.1f} triples/s written")


def compare(settings: Any, town: Simulator, folder: Path) -> tuple[list[float], list[float], tuple[Bytes, Bytes]]:
    """Tick rates of the client that writes nothing and of the recorder, round by round, and one pair of pictures."""
    silent, recorder = [], []
    with car(settings, town) as (world, vehicle):
        with rig_of(settings, world, vehicle) as rig:
            (view,) = rig.read(world.tick(180.0)) or [None]
        for number in tqdm(range(settings.rounds), desc="Rounds", leave=False):
            silent.append(receive(settings, world, vehicle, settings.ticks))
            recorder.append(record(settings, town, world, vehicle, folder / str(number), settings.ticks))
    assert view is not None
    return silent, recorder, (view.rgb, view.ids)


def receive(settings: Any, world: Any, vehicle: Any, ticks: int) -> float:
    """Ticks a second of a client as plain as can be."""
    driver = Teleport(world, vehicle, settings.step_metres, 0, seed=1)
    cameras, images = [], []
    for kind in (KINDS["rgb"], KINDS["ids"]):
        cameras.append(spawn_camera(settings, world, vehicle, kind))
        images.append(queue.Queue())
        cameras[-1].listen(images[-1].put)
    start = time.perf_counter()
    for _ in range(ticks):
        driver.advance()
        frame = world.tick(settings.timeout)
        assert all(each.get(timeout=settings.timeout).frame == frame for each in images)
    rate = ticks / (time.perf_counter() - start)
    for camera in cameras:
        camera.stop()
        camera.destroy()
    return rate


def record(settings: Any, server: Simulator, world: Any, vehicle: Any, folder: Path, ticks: int) -> float:
    """Ticks a second of the recorder keeping every frame, until everything is written."""
    with open_frames(folder) as frames, rig_of(settings, world, vehicle) as rig:
        table = write_labels(folder, server.version)
        driver = Teleport(world, vehicle, settings.step_metres, 0, seed=1)
        keeper = Keeper(table, metres=0, change=0)
        bar = tqdm(disable=True)
        start = time.perf_counter()
        with open_writer(folder, frames, table, settings.writers) as writer:
            session = Session(server, world, vehicle, driver, rig, writer, Window(None, table), bar, 1, {})
            session.record_pictures(["run"], "ClearNoon", ticks, 0, keeper)
        return ticks / (time.perf_counter() - start)


@contextlib.contextmanager
def car(settings: Any, server: Simulator) -> Iterator[tuple[Any, Any]]:
    """A synchronous world with a car in it."""
    with synchronous_mode(server, 20.0) as world:
        yield world, spawn_car(world, "vehicle.tesla.model3", 1)


def rig_of(settings: Any, world: Any, vehicle: Any) -> contextlib.AbstractContextManager[Rig]:
    """The two cameras as the recorder has them."""
    options = {"size": settings.size, "field_of_view": 90.0, "kinds": ("rgb", "ids"), "timeout": settings.timeout}
    return camera_rig(world, vehicle, [settings.pose], **options)


def spawn_camera(settings: Any, world: Any, vehicle: Any, kind: str) -> Any:
    """The same camera as the recorder's."""
    import carla

    blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", str(settings.size[0]))
    blueprint.set_attribute("image_size_y", str(settings.size[1]))
    x, y, z, pitch, yaw, roll = settings.pose
    pose = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))
    return world.spawn_actor(blueprint, pose, attach_to=vehicle)


@contextlib.contextmanager
def constant_server(rgb: Bytes, ids: Bytes) -> Iterator[int]:
    """The port of a server, in a process of its own, whose pictures are always these."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(rgb, ids, theirs), daemon=True)
    process.start()
    theirs.close()  # so that waiting for the port ends when the process does
    yield ours.recv()
    process.terminate()
    process.join()


def serve(rgb: Bytes, ids: Bytes, pipe: Any) -> None:
    """Run the embedded town without its drawing."""
    from simulator.server import SimulatorServer

    opaque = np.full(ids.shape, 255, np.uint8)
    images = {
        "rgb": np.dstack([rgb[..., ::-1], opaque]),
        "semantic_segmentation": np.dstack([ids * 0, ids * 0, ids, opaque]),
    }
    renderer = SimpleNamespace(
        render=lambda cameras, *_: [images.get(camera.kind, images["rgb"]) for camera in cameras]
    )
    server = SimulatorServer("Eastfield", 1, port=0, make_renderer=lambda network, seed: renderer)
    server.start()
    pipe.send(server.port)
    threading.Event().wait()


if __name__ == "__main__":
    run(main)
