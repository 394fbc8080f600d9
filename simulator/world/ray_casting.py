"""Cast rays by rendering: an image of one pixel shows the distance and the label of the first surface."""

from __future__ import annotations

import math

import numpy as np

from simulator.drawing import renderer
from simulator.geometry import Transform
from simulator.protocol.encodings import Vector
from simulator.world.world import World

MAX_DEPTH = 1000.0  # metres, the distance of the largest depth value
MAX_DEPTH_VALUE = 256**3 - 1
LABEL_CHANNEL = 2  # of BGRA


def first_hit(world: World, start: np.ndarray, end: np.ndarray) -> tuple[Vector, int] | None:
    """Return location (metres) and label of the first surface between two points (3,), None if there is none."""
    ray = end - start
    length = float(np.linalg.norm(ray))
    if length == 0.0:
        return None
    yaw = math.degrees(math.atan2(ray[1], ray[0]))
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, ray[2] / length))))
    x, y, z = (float(value) for value in start)
    pose = Transform(x, y, z, pitch, yaw)
    kinds = ("depth", "semantic_segmentation")
    depth, labels = world.render([renderer.Camera(kind, pose, width=1, height=1, fov=1.0) for kind in kinds])
    distance = decode_depth(depth[0, 0])
    # the sky has the largest depth; it is no surface
    if distance > min(length, 0.999 * MAX_DEPTH):
        return None
    x, y, z = (float(value) for value in start + ray / length * distance)
    return (x, y, z), int(labels[0, 0, LABEL_CHANNEL])


def decode_depth(pixel: np.ndarray) -> float:
    """Return the metres of a BGRA pixel (4,) of CARLA's depth camera: 24 bits, the lowest in red."""
    blue, green, red = (int(value) for value in pixel[:3])
    return MAX_DEPTH * (red + 256 * green + 65536 * blue) / MAX_DEPTH_VALUE
