"""Rays through the town: a picture of one pixel tells how far the first thing is, and what it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from simulator.drawing.renderer import Camera
from simulator.geometry import Transform
from simulator.protocol.encodings import Vector

if TYPE_CHECKING:
    from simulator.world.episode import World

FARTHEST = 1000.0  # metres, what the largest depth means
DEPTH_STEPS = 256**3 - 1
LABEL_CHANNEL = 2  # of BGRA


def first_hit(world: World, start: np.ndarray, end: np.ndarray) -> tuple[Vector, int] | None:
    """Place (metres) and label of the first surface between two points (3,), None if there is none."""
    ray = end - start
    length = float(np.linalg.norm(ray))
    if length == 0.0:
        return None
    yaw = math.degrees(math.atan2(ray[1], ray[0]))
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, ray[2] / length))))
    pose = Transform(*(float(value) for value in start), pitch=pitch, yaw=yaw)
    views = [Camera(kind, pose, 1, 1, 1.0) for kind in ("depth", "semantic_segmentation")]
    depth, labels = world.draw(views)
    distance = decode_depth(depth[0, 0])
    if distance > min(length, 0.999 * FARTHEST):
        return None
    place = start + ray / length * distance
    return (float(place[0]), float(place[1]), float(place[2])), int(labels[0, 0, LABEL_CHANNEL])


def decode_depth(pixel: np.ndarray) -> float:
    """Metres from a BGRA pixel (4,) of CARLA's depth camera: 24 bits, the lowest in red."""
    blue, green, red = (int(value) for value in pixel[:3])
    return FARTHEST * (red + 256 * green + 65536 * blue) / DEPTH_STEPS
