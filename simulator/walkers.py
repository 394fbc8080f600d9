"""How pedestrians move: along the direction of `carla.WalkerControl`, or where a client's navigation puts them.

`controller.ai.walker` is driven by the client itself: it finds paths on the navigation mesh that
`simulator.navigation` serves and sends each walker's pose and speed once a tick.
"""

from __future__ import annotations

import math
from dataclasses import replace

from simulator.actors import Walker
from simulator.geometry import Transform

STRIDE = 1.5  # metres walked in one cycle of two steps
FASTEST = 10.0  # m/s, a sprinter


def walk(walker: Walker, delta: float) -> None:
    """Moves a pedestrian by `delta` seconds."""
    if walker.placed:
        walker.placed = False
    elif walker.speed > 0.0:
        stride_towards(walker, delta)
    walker.phase = (walker.phase + walker.speed * delta / STRIDE) % 1.0


def stride_towards(walker: Walker, delta: float) -> None:
    """One step along the walker's direction, which it also faces."""
    x, y, _ = walker.direction
    length = math.hypot(x, y)
    if length == 0.0:
        return
    x, y = x / length, y / length
    pose, step = walker.transform, walker.speed * delta
    yaw = math.degrees(math.atan2(y, x))
    walker.transform = replace(pose, x=pose.x + x * step, y=pose.y + y * step, yaw=yaw)
    walker.velocity = (x * walker.speed, y * walker.speed, 0.0)


def control(walker: Walker, direction: tuple[float, float, float], speed: float, jump: bool) -> None:
    """What the walker does from now on; direction is in the world, speed in m/s."""
    walker.direction, walker.jump = direction, jump
    walker.speed = min(FASTEST, max(0.0, speed))
    if walker.speed == 0.0:
        walker.halt()


def place(walker: Walker, feet: Transform, speed: float) -> None:
    """Puts a walker where a client's navigation wants it; `feet` is the pose on the ground."""
    walker.transform = replace(feet, z=feet.z + walker.box_extent[2])
    walker.speed = min(FASTEST, max(0.0, speed))
    yaw = math.radians(feet.yaw)
    walker.direction = (math.cos(yaw), math.sin(yaw), 0.0)
    walker.velocity = (walker.speed * math.cos(yaw), walker.speed * math.sin(yaw), 0.0)
    walker.placed = True


def feet_of(walker: Walker) -> Transform:
    """The pose of the walker's feet: what is drawn stands on it."""
    pose = walker.world_transform()
    return replace(pose, z=pose.z - walker.box_extent[2])
