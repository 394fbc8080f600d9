"""The motion of pedestrians: along the direction of `carla.WalkerControl`, or as a client's navigation sets it.

The client itself runs `controller.ai.walker`: it finds paths on the navigation mesh that
`simulator.roads.navigation_mesh` builds, and sends the pose and speed of each walker once per tick.
"""

from __future__ import annotations

import math
from dataclasses import replace

from simulator.geometry import Transform
from simulator.protocol.encodings import Vector
from simulator.roads.ground import Ground
from simulator.world.actors import Walker

CYCLE_LENGTH = 1.5  # metres walked in one cycle of two steps
MAX_SPEED = 10.0  # m/s, a sprinter
SINKING_SPEED = 3.0  # m/s at which a walker that was spawned in the air comes down


def walk(walker: Walker, ground: Ground, delta: float) -> None:
    """Advance a pedestrian by `delta` seconds."""
    if walker.placed:
        walker.placed = False
    elif walker.speed > 0.0:
        step_forward(walker, delta)
    pose = walker.transform
    if walker.parent is None:
        standing = ground.height(pose.x, pose.y) + walker.box_extent[2]
        walker.transform = replace(pose, z=max(standing, pose.z - SINKING_SPEED * delta))
    walker.phase = (walker.phase + walker.speed * delta / CYCLE_LENGTH) % 1.0


def step_forward(walker: Walker, delta: float) -> None:
    """Move a walker along its direction and turn it to face that way."""
    x, y, _ = walker.direction
    length = math.hypot(x, y)
    if length == 0.0:
        return
    x, y = x / length, y / length
    pose, step = walker.transform, walker.speed * delta
    yaw = math.degrees(math.atan2(y, x))
    walker.transform = replace(pose, x=pose.x + x * step, y=pose.y + y * step, yaw=yaw)
    walker.velocity = (x * walker.speed, y * walker.speed, 0.0)


def apply_control(walker: Walker, direction: Vector, speed: float, jump: bool) -> None:
    """Set the control of a walker from now on; `direction` is in the world frame, `speed` in m/s."""
    walker.direction, walker.jump = direction, jump
    walker.speed = min(MAX_SPEED, max(0.0, speed))
    if walker.speed == 0.0:
        walker.halt()


def place(walker: Walker, feet: Transform, speed: float) -> None:
    """Put a walker where a client's navigation wants it; the height of `feet`, from the mesh, is ignored."""
    walker.transform = replace(feet, z=walker.box_extent[2])
    walker.speed = min(MAX_SPEED, max(0.0, speed))
    yaw = math.radians(feet.yaw)
    walker.direction = (math.cos(yaw), math.sin(yaw), 0.0)
    walker.velocity = (walker.speed * math.cos(yaw), walker.speed * math.sin(yaw), 0.0)
    walker.placed = True


def feet_pose(walker: Walker) -> Transform:
    """Return the pose of the walker's feet, which is the origin of its drawn model."""
    pose = walker.world_transform()
    return replace(pose, z=pose.z - walker.box_extent[2])
