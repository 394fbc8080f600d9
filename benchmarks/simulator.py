"""How fast the embedded town is, seen by the real client: synchronous ticks a second.

    python benchmarks/simulator.py
    python benchmarks/simulator.py --map Millbrook --cars 20 --seconds 20

Each row is one load: no camera (the protocol and the traffic alone), then a camera pair (rgb and labels) at
usual sizes. A tick counts when its pictures have arrived in the client.
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
SIZES = ((320, 240), (480, 320), (800, 600))
WARM_UP = 3  # ticks before the clock starts
KINDS = ("rgb", "semantic_segmentation")


@contextlib.contextmanager
def town(map_name: str) -> Iterator[int]:
    """The port of a simulator that runs as long as the context."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--map", map_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            line = process.stdout.readline()
            yield int(line.split(";")[0].rsplit(":", 1)[1])
        finally:
            process.terminate()


def spawn_traffic(world: carla.World, cars: int) -> list[carla.Actor]:
    """Cars that stand, spread over the town; the first is the one that carries the cameras."""
    blueprints = sorted(world.get_blueprint_library().filter("vehicle.*"), key=lambda blueprint: blueprint.id)
    points = world.get_map().get_spawn_points()
    places = points[:: max(1, len(points) // cars)][:cars]
    return [world.spawn_actor(blueprints[i % len(blueprints)], place) for i, place in enumerate(places)]


def subscribe(
    world: carla.World, vehicle: carla.Actor, size: tuple[int, int]
) -> list[tuple[carla.Sensor, queue.Queue]]:
    """A camera of each kind on the vehicle, with the queue of its images."""
    cameras = []
    for kind in KINDS:
        blueprint = world.get_blueprint_library().find("sensor.camera." + kind)
        for name, value in zip(("image_size_x", "image_size_y"), size, strict=True):
            blueprint.set_attribute(name, str(value))
        place = carla.Transform(carla.Location(x=1.6, z=1.7))
        camera, images = world.spawn_actor(blueprint, place, attach_to=vehicle), queue.Queue()
        camera.listen(images.put)
        cameras.append((camera, images))
    return cameras


def ticks_per_second(world: carla.World, queues: list[queue.Queue], seconds: float) -> float:
    """Synchronous ticks a second, measured for about `seconds`."""
    count, begun = -WARM_UP, 0.0
    while count <= 0 or time.perf_counter() - begun < seconds:
        if count == 0:
            begun = time.perf_counter()
        frame = world.tick()
        for images in queues:
            if (got := images.get(timeout=60.0).frame) != frame:
                raise SystemExit(f"Tick {frame} brought the image of frame {got}.")
        count += 1
    return count / (time.perf_counter() - begun)


def main() -> None:
    """Prints one line for each load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--map", default="Eastfield")
    parser.add_argument("--cars", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each load")
    arguments = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    with town(arguments.map) as port:
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(60.0)
        world = client.get_world()
        world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=1.0 / 30.0))
        vehicle = spawn_traffic(world, arguments.cars)[0]
        print(f"{'no camera':24} {ticks_per_second(world, [], arguments.seconds):8.1f} ticks/s")
        for size in SIZES:
            cameras = subscribe(world, vehicle, size)
            rate = ticks_per_second(world, [images for _, images in cameras], arguments.seconds)
            print(f"{'rgb + labels {}x{}'.format(*size):24} {rate:8.1f} ticks/s  {1000.0 / rate:6.0f} ms")
            for camera, _ in cameras:
                camera.stop()
                camera.destroy()


if __name__ == "__main__":
    main()
