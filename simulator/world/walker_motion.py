"""How pedestrians move: along the direction of `carla.WalkerControl`, or as a client's navigation wants.

`controller.ai.walker` is driven by the client itself: it finds paths on the navigation mesh that
`simulator.roads.navigation_mesh` serves and sends each walker's pose and speed once a tick.
"""

from __future__ import annotations

import math
from dataclasses import replace

from simulator.geometry import Transform
from simulator.protocol.encodings import Vector
from simulator.roads.ground import Ground
from simulator.world.actors import Walker

STRIDE = 1.5  # metres walked in one cycle of two steps
FASTEST = 10.0  # m/s, a sprinter
FALLING_SPEED = 3.0  # m/s at which a walker that was spawned in the air comes down


def walk(walker: Walker, ground: Ground, delta: float) -> None:
    """Moves a pedestrian by `delta` seconds."""
    if walker.placed:
        walker.placed = False
    elif walker.speed > 0.0:
        stride(walker, delta)
    pose = walker.transform
    if walker.parent is None:
        standing = ground.height(pose.x, pose.y) + walker.box_extent[2]
        walker.transform = replace(pose, z=max(standing, pose.z - FALLING_SPEED * delta))
    walker.phase = (walker.phase + walker.speed * delta / STRIDE) % 1.0


def stride(walker: Walker, delta: float) -> None:
    """A step along the walker's direction, which it also faces."""
    x, y, _ = walker.direction
    length = math.hypot(x, y)
    if length == 0.0:
        return
    x, y = x / length, y / length
    pose, step = walker.transform, walker.speed * delta
    yaw = math.degrees(math.atan2(y, x))
    walker.transform = replace(pose, x=pose.x + x * step, y=pose.y + y * step, yaw=yaw)
    walker.velocity = (x * walker.speed, y * walker.speed, 0.0)


def control(walker: Walker, direction: Vector, speed: float, jump: bool) -> None:
    """What the walker does from now on; direction is in the world, speed in m/s."""
    walker.direction, walker.jump = direction, jump
    walker.speed = min(FASTEST, max(0.0, speed))
    if walker.speed == 0.0:
        walker.halt()


def place(walker: Walker, feet: Transform, speed: float) -> None:
    """Puts a walker where a client's navigation wants it; the height of the mesh is not heeded."""
    walker.transform = replace(feet, z=walker.box_extent[2])
    walker.speed = min(FASTEST, max(0.0, speed))
    yaw = math.radians(feet.yaw)
    walker.direction = (math.cos(yaw), math.sin(yaw), 0.0)
    walker.velocity = (walker.speed * math.cos(yaw), walker.speed * math.sin(yaw), 0.0)
    walker.placed = True


def feet_of(walker: Walker) -> Transform:
    """The pose of the walker's feet: what is drawn stands on it."""
    pose = walker.world_transform()
    return replace(pose, z=pose.z - walker.box_extent[2])
