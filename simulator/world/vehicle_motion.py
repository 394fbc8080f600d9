"""The motion of vehicles: a kinematic bicycle model that responds to `carla.VehicleControl`.

Vehicles stay on the plane z = 0, do not skid and do not collide: they pass through each other, so the driver
(a script, or the client's traffic manager) has to keep its distance.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from simulator.geometry import wrap_degrees
from simulator.protocol.encodings import Vector
from simulator.roads.road_network import RoadNetwork
from simulator.world.actors import Vehicle

MAX_ACCELERATION = 5.0  # m/s^2 from standstill; 0 to 100 km/h in about 8 s with the next two constants
TOP_SPEED = 50.0  # m/s, at which full throttle no longer accelerates
ROLLING_DECELERATION = 0.25  # m/s^2 without throttle
BRAKE_DECELERATION = 8.5  # m/s^2 with full brake, dry asphalt
HAND_BRAKE_DECELERATION = 6.0  # m/s^2
MAX_STEERING_ANGLE = math.radians(42.0)  # of the front wheels
STEERING_RATE = math.radians(180.0)  # per second
WHEELBASE = 0.6  # fraction of the vehicle's length
SINKING_SPEED = 2.0  # m/s at which a vehicle that was spawned in the air comes down
MASS = 1500.0  # kg, for impulses
ACKERMANN_ACCELERATION = 3.0  # m/s^2 if a client does not set it


def drive(vehicle: Vehicle, delta: float) -> None:
    """Advance a vehicle by `delta` seconds; a vehicle without physics stays where it was put."""
    if not vehicle.physics:
        vehicle.halt()
        return
    before = vehicle.speed
    vehicle.speed = next_speed(vehicle, delta)
    turn_wheels(vehicle, delta)
    # the origin is the vehicle's middle, which moves at the slip angle to the heading
    slip = math.atan(0.5 * math.tan(vehicle.steering_angle))
    yaw_rate = vehicle.speed * math.sin(slip) / (0.5 * WHEELBASE * 2.0 * vehicle.box_extent[0])
    pose = vehicle.transform
    course = math.radians(pose.yaw) + slip + 0.5 * yaw_rate * delta
    step = vehicle.speed * delta
    vehicle.transform = replace(
        pose,
        x=pose.x + step * math.cos(course),
        y=pose.y + step * math.sin(course),
        z=max(0.0, pose.z - SINKING_SPEED * delta) if vehicle.gravity else pose.z,
        pitch=0.0,
        yaw=wrap_degrees(pose.yaw + math.degrees(yaw_rate * delta)),
        roll=0.0,
    )
    cos, sin = math.cos(course), math.sin(course)
    forward = (vehicle.speed - before) / delta
    sideways = vehicle.speed * yaw_rate
    vehicle.velocity = (vehicle.speed * cos, vehicle.speed * sin, 0.0)
    vehicle.acceleration = (forward * cos - sideways * sin, forward * sin + sideways * cos, 0.0)
    vehicle.angular_velocity = (0.0, 0.0, math.degrees(yaw_rate))


def next_speed(vehicle: Vehicle, delta: float) -> float:
    """Return the speed (m/s, negative in reverse) after `delta` seconds."""
    speed, control = vehicle.speed, vehicle.control
    if vehicle.constant_velocity is not None:
        return vehicle.constant_velocity
    if vehicle.ackermann is not None:
        _, _, target, acceleration, _ = vehicle.ackermann
        limit = (abs(acceleration) or ACKERMANN_ACCELERATION) * delta
        return speed + min(limit, max(-limit, target - speed))
    direction = -1.0 if control.reverse else 1.0
    acceleration = MAX_ACCELERATION * control.throttle * max(0.0, 1.0 - abs(speed) / TOP_SPEED)
    speed += direction * acceleration * delta
    deceleration = (
        BRAKE_DECELERATION * control.brake
        + HAND_BRAKE_DECELERATION * control.hand_brake
        + ROLLING_DECELERATION * (control.throttle == 0.0)
    )
    return math.copysign(max(0.0, abs(speed) - deceleration * delta), speed)


def turn_wheels(vehicle: Vehicle, delta: float) -> None:
    """Turn the front wheels towards the angle that the driver wants."""
    if vehicle.ackermann is not None:
        target = min(MAX_STEERING_ANGLE, max(-MAX_STEERING_ANGLE, vehicle.ackermann[0]))
    else:
        target = MAX_STEERING_ANGLE * vehicle.control.steer
    limit = STEERING_RATE * delta
    vehicle.steering_angle += min(limit, max(-limit, target - vehicle.steering_angle))


def set_velocity(vehicle: Vehicle, velocity: Vector) -> None:
    """Set a vehicle's speed to the component of a world velocity (m/s) along its heading."""
    yaw = math.radians(vehicle.transform.yaw)
    vehicle.speed = velocity[0] * math.cos(yaw) + velocity[1] * math.sin(yaw)
    vehicle.velocity = (vehicle.speed * math.cos(yaw), vehicle.speed * math.sin(yaw), 0.0)


def apply_impulse(vehicle: Vehicle, impulse: Vector) -> None:
    """Change a vehicle's velocity by an impulse in the world frame, N s."""
    x, y, z = (v + i / MASS for v, i in zip(vehicle.velocity, impulse, strict=True))
    set_velocity(vehicle, (x, y, z))


class SpeedLimits:
    """Looks up the speed limit of the driving lane nearest to a point."""

    def __init__(self, network: RoadNetwork) -> None:
        points, limits = [np.full((1, 2), 1e9)], [50.0]
        for road in network.roads.values():
            for lane in road.lanes:
                if lane.kind == "driving":
                    line = road.lane_centre(lane.id, step=4.0)
                    points.append(line)
                    limits += [road.speed] * len(line)
        self._points = np.concatenate(points)
        self._limits = limits

    def at(self, x: float, y: float) -> float:
        """Return the speed limit at a point, km/h."""
        distance = np.square(self._points - (x, y)).sum(axis=1)
        return self._limits[int(np.argmin(distance))]
