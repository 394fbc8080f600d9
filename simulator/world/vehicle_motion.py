"""How vehicles move: a kinematic bicycle that answers `carla.VehicleControl`.

Vehicles stand on the plane z = 0, do not skid and do not collide: they pass through each other, so a driver
(a script, or the client's Traffic Manager) has to keep clear of others.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from simulator.geometry import wrap_degrees
from simulator.protocol.encodings import Vector
from simulator.roads.road_network import RoadNetwork
from simulator.world.actors import Vehicle

FULL_THROTTLE = 5.0  # m/s^2 from standstill; 0 to 100 km/h in about 8 s with the two terms below
TOP_SPEED = 50.0  # m/s, where full throttle gives nothing more
ROLLING = 0.25  # m/s^2, lost with no pedal pressed
FULL_BRAKE = 8.5  # m/s^2, dry asphalt
HAND_BRAKE = 6.0
STEERING_LOCK = math.radians(42.0)  # of the front wheels
STEERING_RATE = math.radians(180.0)  # per second
WHEELBASE = 0.6  # of the length
SETTLING_SPEED = 2.0  # m/s at which a vehicle that was spawned in the air comes down
MASS = 1500.0  # kg, for impulses
ACKERMANN_ACCELERATION = 3.0  # m/s^2 when a client leaves it to the vehicle


def drive(vehicle: Vehicle, delta: float) -> None:
    """Moves a vehicle by `delta` seconds; one without physics stays where it was put."""
    if not vehicle.physics:
        vehicle.halt()
        return
    before = vehicle.speed
    vehicle.speed = next_speed(vehicle, delta)
    turn_wheels(vehicle, delta)
    # the origin is the vehicle's middle: it runs at the slip angle between heading and path
    slip = math.atan(0.5 * math.tan(vehicle.steering))
    yaw_rate = vehicle.speed * math.sin(slip) / (0.5 * WHEELBASE * 2.0 * vehicle.box_extent[0])
    pose = vehicle.transform
    course = math.radians(pose.yaw) + slip + 0.5 * yaw_rate * delta
    step = vehicle.speed * delta
    vehicle.transform = replace(
        pose,
        x=pose.x + step * math.cos(course),
        y=pose.y + step * math.sin(course),
        z=max(0.0, pose.z - SETTLING_SPEED * delta) if vehicle.gravity else pose.z,
        pitch=0.0,
        yaw=wrap_degrees(pose.yaw + math.degrees(yaw_rate * delta)),
        roll=0.0,
    )
    cos, sin = math.cos(course), math.sin(course)
    gain = (vehicle.speed - before) / delta
    sideways = vehicle.speed * yaw_rate
    vehicle.velocity = (vehicle.speed * cos, vehicle.speed * sin, 0.0)
    vehicle.acceleration = (gain * cos - sideways * sin, gain * sin + sideways * cos, 0.0)
    vehicle.angular_velocity = (0.0, 0.0, math.degrees(yaw_rate))


def next_speed(vehicle: Vehicle, delta: float) -> float:
    """The speed (m/s, negative backwards) after `delta` seconds."""
    speed, control = vehicle.speed, vehicle.control
    if vehicle.constant_velocity is not None:
        return vehicle.constant_velocity
    if vehicle.ackermann is not None:
        _, _, wanted, acceleration, _ = vehicle.ackermann
        most = (abs(acceleration) or ACKERMANN_ACCELERATION) * delta
        return speed + min(most, max(-most, wanted - speed))
    direction = -1.0 if control.reverse else 1.0
    pull = FULL_THROTTLE * control.throttle * max(0.0, 1.0 - abs(speed) / TOP_SPEED)
    speed += direction * pull * delta
    resistance = FULL_BRAKE * control.brake + HAND_BRAKE * control.hand_brake + ROLLING * (control.throttle == 0.0)
    return math.copysign(max(0.0, abs(speed) - resistance * delta), speed)


def turn_wheels(vehicle: Vehicle, delta: float) -> None:
    """Turns the front wheels towards the angle that the driver wants."""
    if vehicle.ackermann is not None:
        wanted = min(STEERING_LOCK, max(-STEERING_LOCK, vehicle.ackermann[0]))
    else:
        wanted = STEERING_LOCK * vehicle.control.steer
    most = STEERING_RATE * delta
    vehicle.steering += min(most, max(-most, wanted - vehicle.steering))


def set_velocity(vehicle: Vehicle, velocity: Vector) -> None:
    """Gives a vehicle the part of a velocity in the world (m/s) that points along its heading."""
    yaw = math.radians(vehicle.transform.yaw)
    vehicle.speed = velocity[0] * math.cos(yaw) + velocity[1] * math.sin(yaw)
    vehicle.velocity = (vehicle.speed * math.cos(yaw), vehicle.speed * math.sin(yaw), 0.0)


def push(vehicle: Vehicle, impulse: Vector) -> None:
    """Changes the velocity by an impulse in the world, N s."""
    set_velocity(vehicle, tuple(v + i / MASS for v, i in zip(vehicle.velocity, impulse, strict=True)))


class SpeedLimits:
    """The speed limit of the lane nearest to a place."""

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
        """Speed limit in km/h."""
        distance = np.square(self._points - (x, y)).sum(axis=1)
        return self._limits[int(distance.argmin())]
