"""A contact sheet of the town: twelve images beside their labels, from three maps in six weathers.

python -m simulator.drawing.sheet OUT.png [--width 480] [--height 320] [--seed 1]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.cars import BRAKE
from simulator.drawing.renderer import Body, Camera, Renderer
from simulator.geometry import Transform
from simulator.roads.ground import KERB_HEIGHT
from simulator.roads.maps import MAPS, build_map
from simulator.roads.road_network import RoadNetwork
from simulator.weather import Weather

COLOURS = {  # RGB by label id, CARLA's CityScapesPalette (0.9.14 and later)
    0: (0, 0, 0),
    1: (128, 64, 128),
    2: (244, 35, 232),
    3: (70, 70, 70),
    4: (102, 102, 156),
    5: (190, 153, 153),
    6: (153, 153, 153),
    7: (250, 170, 30),
    8: (220, 220, 0),
    9: (107, 142, 35),
    10: (152, 251, 152),
    11: (70, 130, 180),
    12: (220, 20, 60),
    13: (255, 0, 0),
    14: (0, 0, 142),
    15: (0, 0, 70),
    16: (0, 60, 100),
    18: (0, 0, 230),
    19: (119, 11, 32),
    20: (110, 190, 160),
    21: (170, 120, 50),
    24: (157, 234, 50),
    25: (81, 0, 81),
}
# CARLA's weather presets: cloudiness, precipitation, deposits, wind, sun azimuth, sun altitude, fog density,
# fog distance, fog falloff, wetness
PRESETS: dict[str, Weather] = {
    "ClearNoon": Weather(5, 0, 0, 10, -1, 45, 2, 0.75, 0.1, 0),
    "CloudyNoon": Weather(60, 0, 0, 10, -1, 45, 3, 0.75, 0.1, 0),
    "WetNoon": Weather(5, 0, 50, 10, -1, 45, 3, 0.75, 0.1, 0),
    "WetCloudyNoon": Weather(60, 0, 50, 10, -1, 45, 3, 0.75, 0.1, 0),
    "SoftRainNoon": Weather(20, 30, 50, 30, -1, 45, 3, 0.75, 0.1, 0),
    "MidRainyNoon": Weather(60, 60, 60, 60, -1, 45, 3, 0.75, 0.1, 0),
    "HardRainNoon": Weather(100, 100, 90, 100, -1, 45, 7, 0.75, 0.1, 0),
    "ClearSunset": Weather(5, 0, 0, 10, -1, 15, 2, 0.75, 0.1, 0),
    "CloudySunset": Weather(60, 0, 0, 10, -1, 15, 3, 0.75, 0.1, 0),
    "WetSunset": Weather(5, 0, 50, 10, -1, 15, 2, 0.75, 0.1, 0),
    "SoftRainSunset": Weather(20, 30, 50, 30, -1, 15, 2, 0.75, 0.1, 0),
    "HardRainSunset": Weather(100, 100, 90, 100, -1, 15, 7, 0.75, 0.1, 0),
    "ClearNight": Weather(5, 0, 0, 10, -1, -90, 60, 75, 1, 0),
    "CloudyNight": Weather(60, 0, 0, 10, -1, -90, 60, 0.75, 0.1, 0),
    "WetNight": Weather(5, 0, 50, 10, -1, -90, 60, 75, 1, 60),
    "HardRainNight": Weather(100, 100, 90, 100, -1, -90, 100, 0.75, 0.1, 100),
    "DustStorm": Weather(100, 0, 0, 100, -1, 45, 2, 0.75, 0.1, 0, dust_storm=100),
}
SHOWN_PRESETS = ("ClearNoon", "ClearSunset", "CloudyNoon", "WetNight", "HardRainNoon", "WetSunset")


def place_traffic(network: RoadNetwork, seed: int) -> list[Body]:
    """Return vehicles on the lanes and pedestrians on sidewalks and crossings, equal for equal seeds."""
    rng = np.random.default_rng(seed)
    vehicles = [name for name in CATALOGUE if name.startswith("vehicle")]
    walkers = [name for name in CATALOGUE if name.startswith("walker")]
    places: list[tuple[Transform, list[str], float]] = []
    for road in network.streets:
        for lane in road.lanes:
            step, names, speed = (17.0, vehicles, 7.0) if lane.kind == "driving" else (9.0, walkers, 1.3)
            if lane.kind not in ("driving", "sidewalk"):
                continue
            for s in np.arange(8.0 + rng.uniform(0, step), road.length - 8.0, step * 1.4):
                pose = road.lane_pose(lane.id, float(s + rng.uniform(-3, 3)))
                if lane.kind == "sidewalk":
                    offset = rng.uniform(-0.9, 0.9)
                    yaw = pose.yaw + 180.0 * rng.integers(2)
                    heading = np.radians(pose.yaw)
                    pose = Transform(
                        pose.x - offset * np.sin(heading), pose.y + offset * np.cos(heading), KERB_HEIGHT, yaw=yaw
                    )
                places.append((pose, names, speed))
    for crossing in network.crossings:
        road = network.roads[crossing.road]
        for t in rng.uniform(road.kerb("left"), road.kerb("right"), 2):
            pose = road.pose(crossing.s + rng.uniform(-1, 1), float(t))
            places.append((Transform(pose.x, pose.y, yaw=pose.yaw + rng.choice([-90, 90])), walkers, 1.3))
    bodies = []
    for number, (pose, names, speed) in enumerate(places, start=1):
        name = names[rng.integers(len(names))]
        colours = CATALOGUE[name].colours
        lights = BRAKE if rng.random() < 0.3 else 0
        bodies.append(Body(number, name, pose, colours[rng.integers(len(colours))], lights, speed, float(rng.random())))
    return bodies


def clear_of_camera(bodies: list[Body], pose: Transform) -> list[Body]:
    """Return the bodies that are not within 6.5 m of the camera."""
    return [b for b in bodies if np.hypot(b.transform.x - pose.x, b.transform.y - pose.y) > 6.5]


def light_states(network: RoadNetwork) -> dict[int, str]:
    """Return the states of the traffic lights: phase 0 green, the others red."""
    return {n: "green" if s.phase == 0 else "red" for n, s in network.signals.items() if s.kind == "traffic_light"}


def colour_labels(image: np.ndarray) -> np.ndarray:
    """Show a semantic segmentation image in CARLA's colours, BGR uint8."""
    table = np.zeros((256, 3), np.uint8)
    for label, colour in COLOURS.items():
        table[label] = colour[::-1]
    return table[image[..., 2]]


def contact_sheet(width: int, height: int, seed: int) -> np.ndarray:
    """Return the sheet, BGR uint8 (6 * height, 4 * width, 3)."""
    cells = []
    for name in MAPS:
        network = build_map(name, seed)
        renderer = Renderer(network, seed)
        bodies, states = place_traffic(network, seed), light_states(network)
        starts = network.spawn_points()
        for k in range(4):
            start = starts[(k * 37 + 5) % len(starts)]
            pose = Transform(start.x, start.y, 1.75, -4.0, start.yaw, 0.0)
            cameras = [Camera(kind, pose, width, height, 90.0) for kind in ("rgb", "semantic_segmentation")]
            weather = PRESETS[SHOWN_PRESETS[len(cells) // 2 % len(SHOWN_PRESETS)]]
            clear = clear_of_camera(bodies, pose)
            rgb, labels = renderer.render(cameras, clear, weather, states, 1.0 + k)
            cells += [rgb[..., :3], colour_labels(labels)]
    return np.vstack([np.hstack(cells[i : i + 4]) for i in range(0, len(cells), 4)])


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="image file to write, .png")
    parser.add_argument("--width", type=int, default=480, help="of each image, in pixels")
    parser.add_argument("--height", type=int, default=320, help="of each image, in pixels")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.out.suffix != ".png" or not arguments.out.absolute().parent.is_dir():
        parser.error(f"{arguments.out} cannot be written; give a path that ends in .png in an existing folder")
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}; use 0 or more")
    sheet = contact_sheet(arguments.width, arguments.height, arguments.seed)
    if not cv2.imwrite(str(arguments.out), sheet):
        raise SystemExit(f"{arguments.out} cannot be written; free it or give another path.")
    print(f"{arguments.out}: 12 images and their labels")


if __name__ == "__main__":
    main()
