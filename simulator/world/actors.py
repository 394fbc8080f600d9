"""The actors of an episode: what they know about themselves and how they describe themselves to a client."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.catalogue import CATALOGUE
from simulator.geometry import Transform, compose
from simulator.protocol import encodings
from simulator.protocol.encodings import ZERO, Vector
from simulator.roads.road_network import Signal
from simulator.world.blueprints import CAMERA_PREFIX, Blueprint

# CARLA's label ids (CityObjectLabel) of what can move
LABELS = {"pedestrian": 12, "car": 14, "truck": 15, "bus": 16, "motorcycle": 18, "bicycle": 19}
TRAFFIC_LIGHT_LABEL, TRAFFIC_SIGN_LABEL = 7, 8

LARGEST_IMAGE = 4096  # pixels on a side

RED, YELLOW, GREEN, OFF, UNKNOWN = range(5)  # carla.TrafficLightState
LIGHT_NAMES = ("red", "yellow", "green", "off", "unknown")


@dataclass(eq=False)
class Actor:
    """Anything with an id. `transform` is relative to `parent` if there is one, otherwise in the world."""

    id: int
    blueprint: Blueprint
    transform: Transform
    attributes: dict[str, str] = field(default_factory=dict)
    parent: Actor | None = None
    velocity: Vector = ZERO  # m/s
    angular_velocity: Vector = ZERO  # degrees/s
    acceleration: Vector = ZERO  # m/s^2
    box_centre: Vector = ZERO  # relative to the actor
    box_extent: Vector = ZERO
    label: int = 0
    stream_id: int = 0

    @property
    def type_id(self) -> str:
        """The id of its blueprint."""
        return self.blueprint.id

    def world_transform(self) -> Transform:
        """Where it is in the world."""
        return compose(self.parent.world_transform(), self.transform) if self.parent else self.transform

    def halt(self) -> None:
        """Takes all motion away."""
        self.velocity = self.angular_velocity = self.acceleration = ZERO

    def state(self) -> bytes:
        """The part of its record in the episode state that depends on its kind; at most 54 bytes."""
        return b""

    def record(self) -> bytes:
        """Its 119 bytes in the episode state."""
        motion = (self.velocity, self.angular_velocity, self.acceleration)
        return encodings.actor_record(self.id, self.world_transform(), *motion, self.state())

    def bounding_box(self) -> list[Any]:
        """Its box as it travels."""
        return encodings.bounding_box(self.box_centre, self.box_extent, self.id)

    def to_wire(self, stream_port: int) -> list[Any]:
        """`[id, parent, [uid, type id, attributes], box, labels, stream token]`."""
        kinds = {attribute.id: attribute.type for attribute in self.blueprint.attributes}
        attributes = [[name, kinds[name], value] for name, value in self.attributes.items()]
        return [
            self.id,
            self.parent.id if self.parent else 0,
            [self.blueprint.uid, self.type_id, attributes],
            self.bounding_box(),
            bytes([self.label]) if self.label else b"",
            encodings.token(self.stream_id, stream_port) if self.stream_id else b"",
        ]


@dataclass(frozen=True)
class VehicleControl:
    """What a driver does: throttle and brake in 0..1, steer in -1..1 (right is positive)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0

    @classmethod
    def from_wire(cls, value: Sequence[Any]) -> VehicleControl:
        """Seven values, clipped to their ranges; raises ValueError if they are not of that shape."""
        throttle, steer, brake, hand_brake, reverse, manual, gear = value
        gear = max(-(2**31), min(2**31 - 1, int(gear)))
        return cls(
            clip(throttle, 0.0),
            clip(steer, -1.0),
            clip(brake, 0.0),
            bool(hand_brake),
            bool(reverse),
            bool(manual),
            gear,
        )


@dataclass(eq=False)
class Vehicle(Actor):
    """A car, truck, bus, motorcycle or bicycle; `simulator.world.vehicle_motion` moves it."""

    control: VehicleControl = VehicleControl()
    ackermann: tuple[float, ...] | None = None  # steer, steer speed, speed, acceleration, jerk
    physics: bool = True
    gravity: bool = True
    speed: float = 0.0  # m/s along its own x axis
    constant_velocity: float | None = None
    steering: float = 0.0  # angle of the front wheels, radians
    lights: int = 0  # bits of carla.VehicleLightState
    speed_limit: float = 50.0  # km/h
    traffic_light: TrafficLight | None = None  # the one that it waits for or may pass

    def halt(self) -> None:
        """Takes all motion away."""
        super().halt()
        self.speed = 0.0

    def state(self) -> bytes:
        """Control, speed limit and traffic light."""
        control, light = self.control, self.traffic_light
        return encodings.VEHICLE_STATE.pack(
            control.throttle,
            control.steer,
            control.brake,
            control.hand_brake,
            control.reverse,
            control.manual_gear_shift,
            control.gear,
            self.speed_limit,
            light.light if light else GREEN,
            light is not None,
            light.id if light else 0,
            0,
        )


@dataclass(eq=False)
class Walker(Actor):
    """A pedestrian; its origin is the middle of the body. `simulator.world.walker_motion` moves it."""

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False
    placed: bool = False  # a client's own navigation has set its pose since the last tick
    phase: float = 0.0  # of the walking cycle, 0..1

    def state(self) -> bytes:
        """Walker control."""
        return encodings.WALKER_STATE.pack(*self.direction, self.speed, self.jump)


@dataclass(eq=False)
class Camera(Actor):
    """A camera; kind is one of `encodings.SENSOR_TYPES`."""

    kind: str = "rgb"
    width: int = 800
    height: int = 600
    fov: float = 90.0
    interval: float = 0.0  # seconds between images; 0: every tick
    next_time: float = 0.0


@dataclass(eq=False)
class TrafficLight(Actor):
    """A traffic light; `simulator.world.traffic_lights` switches it. Times are seconds."""

    signal: Signal | None = None
    light: int = RED
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    elapsed: float = 0.0
    frozen: bool = False
    pole_index: int = 0

    def state(self) -> bytes:
        """Id of its OpenDRIVE signal, times and the light that shows."""
        times = (self.green_time, self.yellow_time, self.red_time, self.elapsed)
        sign = str(self.signal.id).encode()
        return encodings.TRAFFIC_LIGHT_STATE.pack(sign, *times, self.pole_index, self.frozen, self.light)


@dataclass(eq=False)
class TrafficSign(Actor):
    """A stop, yield or speed limit sign."""

    signal: Signal | None = None

    def state(self) -> bytes:
        """Id of its OpenDRIVE signal."""
        return encodings.TRAFFIC_SIGN_STATE.pack(str(self.signal.id).encode())


def clip(value: float, low: float, high: float = 1.0) -> float:
    """A number forced into low..high; not-a-number becomes 0."""
    value = float(value)
    return 0.0 if math.isnan(value) else min(high, max(low, value))


def number(attributes: Mapping[str, str], name: str, low: float, high: float) -> float:
    """An attribute as a number; raises ValueError, naming it, unless it lies in low..high."""
    try:
        value = float(attributes[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"attribute {name} is {attributes[name]!r}, it must lie in {low:g}..{high:g}")
    return value


def check_colour(text: str) -> None:
    """Raises ValueError unless the text is "red,green,blue", each 0 to 255."""
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) <= 255 for part in parts):
        raise ValueError(f'attribute color is {text!r}, it must be "red,green,blue", each 0 to 255')


def make_actor(
    actor_id: int,
    blueprint: Blueprint,
    attributes: Mapping[str, str],
    transform: Transform,
    parent: Actor | None,
) -> Actor:
    """A new actor of the class that its blueprint asks for; raises ValueError for impossible attributes."""
    values = blueprint.defaults()
    values.update({name: str(value) for name, value in attributes.items() if name in values})
    if "color" in values:
        check_colour(values["color"])
    common = {
        "id": actor_id,
        "blueprint": blueprint,
        "transform": transform,
        "attributes": values,
        "parent": parent,
    }
    if entry := CATALOGUE.get(blueprint.id):
        body = {"box_extent": entry.extent, "label": LABELS[entry.kind]}
        if entry.kind == "pedestrian":
            return Walker(**common, **body)
        return Vehicle(**common, **body, box_centre=(0.0, 0.0, entry.extent[2]))
    if blueprint.id.startswith(CAMERA_PREFIX):
        return Camera(
            **common,
            kind=blueprint.id.removeprefix(CAMERA_PREFIX),
            width=int(number(values, "image_size_x", 1, LARGEST_IMAGE)),
            height=int(number(values, "image_size_y", 1, LARGEST_IMAGE)),
            fov=number(values, "fov", 1.0, 170.0),
            interval=number(values, "sensor_tick", 0.0, 1e6),
        )
    return Actor(**common)
