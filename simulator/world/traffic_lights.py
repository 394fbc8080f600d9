"""Traffic lights: the signal cycle of each junction, and the light that each vehicle has ahead.

The lights of a junction that are green together form a phase. The phases take turns; each is green, then yellow,
then all lights of the junction are red.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from simulator.geometry import Transform, compose, inverse, wrap_degrees
from simulator.protocol.encodings import Vector
from simulator.roads.road_network import Signal
from simulator.world.actors import GREEN, RED, YELLOW, TrafficLight, Vehicle

APPROACH_DISTANCE = 12.0  # metres before the stop line from which the light applies to a vehicle
OVERRUN_DISTANCE = 0.5  # metres past the stop line up to which the light still applies to a vehicle's front
MAX_LANE_OFFSET = 1.75  # metres from the lane's centre to the vehicle's
MIN_HEADING_COSINE = math.cos(math.radians(45.0))  # between a vehicle and its lane


@dataclass
class JunctionCycle:
    """The signal cycle of one junction.

    index: the current phase. stage: the state that its lights show. elapsed: seconds since they began to show it.
    """

    phases: list[list[TrafficLight]]
    index: int = 0
    stage: int = GREEN
    elapsed: float = 0.0

    @property
    def lights(self) -> list[TrafficLight]:
        """All lights of the junction."""
        return list(itertools.chain.from_iterable(self.phases))

    def restart(self) -> None:
        """Restart with the green of the first phase."""
        self.index, self.stage = 0, GREEN
        self.show()

    def advance(self, delta: float) -> None:
        """Advance by `delta` seconds; one frozen light stops the whole junction."""
        if any(light.frozen for light in self.lights):
            return
        self.elapsed += delta
        leader = self.phases[self.index][0]
        duration = {GREEN: leader.green_time, YELLOW: leader.yellow_time, RED: leader.red_time}[self.stage]
        if self.elapsed >= duration:
            self.next_stage()
        for light in self.lights:
            light.elapsed = self.elapsed

    def next_stage(self) -> None:
        """Switch from green to yellow, from yellow to red, or from red to the next phase's green."""
        if self.stage == RED:
            self.index = (self.index + 1) % len(self.phases)
        self.stage = {GREEN: YELLOW, YELLOW: RED, RED: GREEN}[self.stage]
        self.show()

    def show(self) -> None:
        """Set every light to the state of the current stage."""
        self.elapsed = 0.0
        for index, phase in enumerate(self.phases):
            for light in phase:
                light.state = self.stage if index == self.index else RED


def make_cycles(lights: Iterable[TrafficLight]) -> list[JunctionCycle]:
    """Return one cycle for each junction that has lights."""
    cycles = []
    by_junction = sorted(lights, key=lambda light: (light.signal.junction, light.signal.phase, light.id))
    for _, at_junction in itertools.groupby(by_junction, key=lambda light: light.signal.junction):
        phases = [list(phase) for _, phase in itertools.groupby(at_junction, key=lambda light: light.signal.phase)]
        cycle = JunctionCycle(phases)
        for index, light in enumerate(cycle.lights):
            light.pole_index = index
        cycle.restart()
        cycles.append(cycle)
    return cycles


def actor_pose(signal: Signal) -> Transform:
    """Return the pose of a signal's actor: x points across the lanes, as clients expect of trigger volumes."""
    return replace(signal.transform, yaw=wrap_degrees(signal.transform.yaw - 90.0))


def trigger_volume(signal: Signal) -> tuple[Vector, Vector]:
    """Return (centre, extent) of the box over the lanes before the stop line, relative to `actor_pose`."""
    if not signal.stops:
        return (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    to_actor = inverse(actor_pose(signal))
    # each 2 m before its stop line
    centres = [compose(to_actor, compose(stop, Transform(x=-2.0))) for stop in signal.stops]
    x = [centre.x for centre in centres]
    middle = (min(x) + max(x)) / 2.0, sum(centre.y for centre in centres) / len(centres), 1.0
    return middle, ((max(x) - min(x)) / 2.0 + 1.5, 1.5, 1.0)


@dataclass
class StopIndex:
    """Looks up the light that a vehicle has ahead.

    All fields have one entry per stop, that is, per light and lane: the light, and position and heading of the stop.
    """

    lights: list[TrafficLight]
    x: np.ndarray
    y: np.ndarray
    cos: np.ndarray
    sin: np.ndarray

    @classmethod
    def of(cls, lights: Iterable[TrafficLight]) -> StopIndex:
        """Return the index of the stops of these lights."""
        pairs = [(light, stop) for light in lights for stop in light.signal.stops]
        yaw = np.radians([stop.yaw for _, stop in pairs])
        x, y = (np.array([getattr(stop, axis) for _, stop in pairs], float) for axis in "xy")
        return cls([light for light, _ in pairs], x, y, np.cos(yaw), np.sin(yaw))

    def light_ahead(self, vehicle: Vehicle) -> TrafficLight | None:
        """Return the light that applies to a vehicle, None if the vehicle is not just before a stop line."""
        pose = vehicle.transform
        yaw = math.radians(pose.yaw)
        dx, dy = pose.x - self.x, pose.y - self.y
        front = dx * self.cos + dy * self.sin + vehicle.box_extent[0]
        lateral = np.abs(dy * self.cos - dx * self.sin)
        heading_cosine = math.cos(yaw) * self.cos + math.sin(yaw) * self.sin
        applies = (
            (front > -APPROACH_DISTANCE)
            & (front < OVERRUN_DISTANCE)
            & (lateral < MAX_LANE_OFFSET)
            & (heading_cosine > MIN_HEADING_COSINE)
        )
        found = np.flatnonzero(applies)
        return self.lights[found[0]] if len(found) else None
