"""Measure how much recording slows a simulator down, and how many frames per second the recorder can write.

python -m benchmarks.recording

First, in the embedded town: the tick rate of the recorder, which writes every frame, against that of a client that
receives the same two cameras and writes nothing. Both drive the same way, and they take turns. Then, with a server that
always sends the same two images: frames per second, until the last one is written.
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
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tqdm import tqdm

from recording.ego_vehicle import TeleportDriver, spawn_ego_vehicle
from recording.frame_filter import FrameFilter
from recording.frame_log import open_frame_log
from recording.run import Run
from recording.scene import Scene
from recording.sensors import REQUIRED_SENSORS, SENSORS, Pose, Rig, RigSettings, camera_rig
from recording.server import Server, connect, open_server
from recording.synchronous_mode import synchronous_mode
from recording.writer import open_writer, write_label_table
from segmentation.flags import run
from segmentation.types import Size, UInt8Array

SIZE: Size = (800, 600)  # width and height of the images, pixels
POSE: Pose = (
    1.2,
    0.0,
    1.7,
    0.0,
    0.0,
    0.0,
)  # of both cameras on the car: x, y, z in metres; pitch, yaw, roll in degrees
STEP_METRES = 1.5  # metres that the car moves per tick
TICKS = 40  # ticks per client and round, in the embedded town
ROUNDS = 5  # rounds in which the two clients take turns
FRAMES = 300  # frames per client, with the constant server
WRITERS = 2  # threads that compress and write; WRITERS of 01_synchronous_mode_recording.py
TIMEOUT = 60.0  # seconds to wait for an answer or an image


@dataclass(frozen=True)
class Drive:
    """A car in a synchronous world."""

    server: Server
    world: Any
    vehicle: Any

    def driver(self) -> TeleportDriver:
        """Return a driver that takes the same route each time."""
        return TeleportDriver(self.world, self.vehicle, STEP_METRES, 0, seed=1)

    def rig(self) -> contextlib.AbstractContextManager[Rig]:
        """Return the two cameras as the recorder has them."""
        return camera_rig(self.world, self.vehicle, RigSettings([POSE], SIZE, 90.0), TIMEOUT)


def main() -> None:
    """Run both measurements; print the rates and their ratios."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {SIZE} pixels")
    with (
        tempfile.TemporaryDirectory() as folder,
        open_server("127.0.0.1", 1, TIMEOUT, 1) as town,  # nothing listens on port 1, so it is the embedded town
        open_drive(town) as drive,
    ):
        received, recorded, images = compare(drive, Path(folder))
    ratio = statistics.median(recorder / client for recorder, client in zip(recorded, received, strict=True))
    print(
        f"embedded town: {statistics.median(received):.2f} ticks/s received only, {statistics.median(recorded):.2f} "
        f"recorded, ratio {ratio:.2f} (median of {ROUNDS} rounds)"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        constant_server(*images) as port,
        open_drive(connect("127.0.0.1", port, TIMEOUT)) as drive,
    ):
        client_rate = receive(drive, FRAMES)
        recorder_rate = record(drive, Path(folder), FRAMES)
    print(f"constant images: {client_rate:.1f} frames/s received only, {recorder_rate:.1f} frames/s recorded")


@contextlib.contextmanager
def open_drive(server: Server) -> Iterator[Drive]:
    """Put a car into the server's world, in synchronous mode."""
    with synchronous_mode(server, 20.0) as world:
        yield Drive(server, world, spawn_ego_vehicle(world, "vehicle.tesla.model3", 1))


def compare(drive: Drive, folder: Path) -> tuple[list[float], list[float], tuple[UInt8Array, UInt8Array]]:
    """Return the tick rates of the client that only receives and of the recorder by round, and a frame's two images."""
    received, recorded = [], []
    with drive.rig() as rig:
        views = rig.read(drive.world.tick(180.0))
    assert views is not None
    for number in tqdm(range(ROUNDS), desc="Rounds", leave=False):
        received.append(receive(drive, TICKS))
        recorded.append(record(drive, folder / str(number), TICKS))
    return received, recorded, (views[0].rgb, views[0].ids)


def receive(drive: Drive, ticks: int) -> float:
    """Return the ticks per second of a minimal client that receives the two cameras' images and drops them."""
    driver = drive.driver()
    cameras = [spawn_camera(drive, SENSORS[name].blueprint) for name in REQUIRED_SENSORS]
    queues: list[queue.Queue] = [queue.Queue() for _ in cameras]
    for camera, images in zip(cameras, queues, strict=True):
        camera.listen(images.put)
    start = time.perf_counter()
    for _ in range(ticks):
        driver.advance()
        frame = drive.world.tick(TIMEOUT)
        assert all(images.get(timeout=TIMEOUT).frame == frame for images in queues)
    rate = ticks / (time.perf_counter() - start)
    for camera in cameras:
        camera.stop()
        camera.destroy()
    return rate


def record(drive: Drive, folder: Path, ticks: int) -> float:
    """Return the ticks per second of the recorder when it keeps every frame, until everything is written."""
    camera_run = Run("town", "ClearNoon", 0, "teleport", 1, drive.server.version)
    with open_frame_log(folder) as frame_log, drive.rig() as rig:
        label_table = write_label_table(folder, drive.server.version)
        frame_filter = FrameFilter(label_table, metres=0, change=0)
        scene = Scene(drive.server, drive.world, drive.vehicle, drive.driver(), rig)
        start = time.perf_counter()
        with open_writer(folder, frame_log, label_table, WRITERS) as writer:
            for number in range(ticks):
                views = rig.read(scene.drive(ticks=1))
                if views is None or not frame_filter.accepts(views):
                    raise RuntimeError(f"frame {number} was dropped or rejected")
                writer.write(camera_run.row(number, views[0], scene.speed), views[0])
        return ticks / (time.perf_counter() - start)


def spawn_camera(drive: Drive, blueprint_name: str) -> Any:
    """Spawn a camera like the recorder's."""
    import carla

    blueprint = drive.world.get_blueprint_library().find(blueprint_name)
    blueprint.set_attribute("image_size_x", str(SIZE[0]))
    blueprint.set_attribute("image_size_y", str(SIZE[1]))
    x, y, z, pitch, yaw, roll = POSE
    transform = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))
    return drive.world.spawn_actor(blueprint, transform, attach_to=drive.vehicle)


@contextlib.contextmanager
def constant_server(rgb: UInt8Array, ids: UInt8Array) -> Iterator[int]:
    """Start a server in a separate process that always sends these images; yield its port."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(rgb, ids, sender), daemon=True)
    process.start()
    sender.close()  # so that `recv` raises if the process ends before it sends the port
    yield receiver.recv()
    process.terminate()
    process.join()


def serve(rgb: UInt8Array, ids: UInt8Array, pipe: Any) -> None:
    """Run the embedded town with the constant images in place of its renderer."""
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
