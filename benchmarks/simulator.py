"""Measure the speed of the embedded town with the real client: synchronous ticks per second.

    python benchmarks/simulator.py
    python benchmarks/simulator.py --map Millbrook --cars 20 --seconds 20

Prints one row per load: no camera (only protocol and vehicles), then a pair of cameras (rgb and labels) at common
sizes. A tick counts once its images have arrived in the client.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import carla

ROOT = Path(__file__).parents[1]
SIZES = ((320, 240), (480, 320), (800, 600))  # width and height of the images, pixels
WARM_UP = 3  # ticks that are not measured
KINDS = ("rgb", "semantic_segmentation")


@contextlib.contextmanager
def embedded_town(map_name: str) -> Iterator[int]:
    """Run a simulator and yield its port."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--map", map_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield int(line.split(";")[0].rsplit(":", 1)[1])
        finally:
            process.terminate()


def spawn_traffic(world: carla.World, cars: int) -> list[carla.Actor]:
    """Spawn parked cars all over the town; the first one carries the cameras."""
    blueprints = sorted(world.get_blueprint_library().filter("vehicle.*"), key=lambda blueprint: blueprint.id)
    points = world.get_map().get_spawn_points()
    chosen = points[:: max(1, len(points) // cars)][:cars]
    return [world.spawn_actor(blueprints[i % len(blueprints)], point) for i, point in enumerate(chosen)]


def spawn_cameras(
    world: carla.World, vehicle: carla.Actor, size: tuple[int, int]
) -> list[tuple[carla.Sensor, queue.Queue]]:
    """Spawn a camera of each kind on the vehicle; return each with the queue of its images."""
    cameras = []
    for kind in KINDS:
        blueprint = world.get_blueprint_library().find("sensor.camera." + kind)
        for name, value in zip(("image_size_x", "image_size_y"), size, strict=True):
            blueprint.set_attribute(name, str(value))
        transform = carla.Transform(carla.Location(x=1.6, z=1.7))
        camera = world.spawn_actor(blueprint, transform, attach_to=vehicle)
        images: queue.Queue = queue.Queue()
        camera.listen(images.put)
        cameras.append((camera, images))
    return cameras


def ticks_per_second(world: carla.World, queues: list[queue.Queue], seconds: float) -> float:
    """Measure synchronous ticks per second, for about `seconds`."""
    count, start = -WARM_UP, 0.0
    while count <= 0 or time.perf_counter() - start < seconds:
        if count == 0:
            start = time.perf_counter()
        frame = world.tick()
        for images in queues:
            if (received := images.get(timeout=60.0).frame) != frame:
                raise SystemExit(f"Tick {frame} delivered the image of frame {received}.")
        count += 1
    return count / (time.perf_counter() - start)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--map", default="Eastfield", help="name of the town (default %(default)s)")
    parser.add_argument("--cars", type=int, default=10, help="number of parked cars (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each load (default %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Print one line per load."""
    arguments = parse_arguments()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start")
    with embedded_town(arguments.map) as port:
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(60.0)
        world = client.get_world()
        world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=1.0 / 30.0))
        vehicle = spawn_traffic(world, arguments.cars)[0]
        print(f"{'no camera':24} {ticks_per_second(world, [], arguments.seconds):8.1f} ticks/s")
        for size in SIZES:
            cameras = spawn_cameras(world, vehicle, size)
            rate = ticks_per_second(world, [images for _, images in cameras], arguments.seconds)
            print(f"{'rgb + labels {}x{}'.format(*size):24} {rate:8.1f} ticks/s  {1000.0 / rate:6.0f} ms")
            for camera, _ in cameras:
                camera.stop()
                camera.destroy()


if __name__ == "__main__":
    main()
