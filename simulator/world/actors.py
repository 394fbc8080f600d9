"""The actors of an episode: their state, and its encoding for clients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.actor_catalogue import CATALOGUE
from simulator.geometry import Transform, compose
from simulator.protocol import encodings
from simulator.protocol.encodings import ZERO, Vector
from simulator.roads.road_network import Signal
from simulator.world.blueprints import CAMERA_PREFIX, Blueprint

# CARLA's label ids (CityObjectLabel) of vehicles and pedestrians
LABELS = {"pedestrian": 12, "car": 14, "truck": 15, "bus": 16, "motorcycle": 18, "bicycle": 19}
TRAFFIC_LIGHT_LABEL, TRAFFIC_SIGN_LABEL = 7, 8

MAX_IMAGE_SIDE = 4096  # pixels

RED, YELLOW, GREEN, OFF, UNKNOWN = range(5)  # carla.TrafficLightState
LIGHT_STATE_NAMES = ("red", "yellow", "green", "off", "unknown")


@dataclass(eq=False)
class Actor:
    """Anything with an id. `transform` is relative to `parent` if there is one, otherwise to the world."""

    id: int
    blueprint: Blueprint
    transform: Transform
    attributes: dict[str, str] = field(default_factory=dict)
    parent: Actor | None = None
    velocity: Vector = ZERO  # m/s
    angular_velocity: Vector = ZERO  # degrees/s
    acceleration: Vector = ZERO  # m/s^2
    box_centre: Vector = ZERO  # relative to the actor
    box_extent: Vector = ZERO  # half the box's sides
    label: int = 0  # CARLA's label id, 0 for none
    stream_id: int = 0  # of a sensor's data; 0: the actor sends none

    @property
    def type_id(self) -> str:
        """The id of the actor's blueprint."""
        return self.blueprint.id

    def world_transform(self) -> Transform:
        """Return the pose in the world."""
        return compose(self.parent.world_transform(), self.transform) if self.parent else self.transform

    def halt(self) -> None:
        """Stop all motion."""
        self.velocity = self.angular_velocity = self.acceleration = ZERO

    def pack_state(self) -> bytes:
        """Return the part of the actor's record that depends on its class, at most 54 bytes."""
        return b""

    def pack_record(self) -> bytes:
        """Return the actor's record in the episode state, 119 bytes."""
        motion = (self.velocity, self.angular_velocity, self.acceleration)
        return encodings.actor_record(self.id, self.world_transform(), *motion, self.pack_state())

    def box_to_wire(self) -> list[Any]:
        """Return the bounding box as it is sent."""
        return encodings.bounding_box_to_wire(self.box_centre, self.box_extent, self.id)

    def to_wire(self, stream_port: int) -> list[Any]:
        """Return `[id, parent, [uid, type id, attributes], box, labels, stream token]`."""
        types = {attribute.id: attribute.type for attribute in self.blueprint.attributes}
        attributes = [[name, types[name], value] for name, value in self.attributes.items()]
        return [
            self.id,
            self.parent.id if self.parent else 0,
            [self.blueprint.uid, self.type_id, attributes],
            self.box_to_wire(),
            bytes([self.label]) if self.label else b"",
            encodings.stream_token(self.stream_id, stream_port) if self.stream_id else b"",
        ]


@dataclass(frozen=True)
class VehicleControl:
    """The controls of a vehicle: throttle and brake in 0..1, steer in -1..1 (positive is right)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0

    @classmethod
    def from_wire(cls, value: Sequence[Any]) -> VehicleControl:
        """Return the control of seven values, clipped to their ranges; raise ValueError for any other count."""
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
    ackermann: tuple[float, ...] | None = None  # steer, steer speed, speed, acceleration, jerk; overrides `control`
    physics: bool = True
    gravity: bool = True
    speed: float = 0.0  # m/s along the vehicle's x axis
    constant_velocity: float | None = None  # m/s along the vehicle's x axis; overrides the controls
    steering_angle: float = 0.0  # of the front wheels, radians
    lights: int = 0  # bits of carla.VehicleLightState
    speed_limit: float = 50.0  # km/h
    traffic_light: TrafficLight | None = None  # the light ahead that applies to the vehicle

    def halt(self) -> None:
        """Stop all motion."""
        super().halt()
        self.speed = 0.0

    def pack_state(self) -> bytes:
        """Return control, speed limit and traffic light."""
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
            light.state if light else GREEN,
            light is not None,
            light.id if light else 0,
            0,
        )


@dataclass(eq=False)
class Walker(Actor):
    """A pedestrian; its origin is the centre of the body. `simulator.world.walker_motion` moves it."""

    direction: Vector = (1.0, 0.0, 0.0)  # in the world frame
    speed: float = 0.0  # m/s
    jump: bool = False
    placed: bool = False  # whether a client's navigation has set the pose since the last tick
    phase: float = 0.0  # of the walking cycle, 0..1

    def pack_state(self) -> bytes:
        """Return the walker control."""
        return encodings.WALKER_STATE.pack(*self.direction, self.speed, self.jump)


@dataclass(eq=False)
class Camera(Actor):
    """A camera; `kind` is one of `encodings.SENSOR_TYPES`."""

    kind: str = "rgb"
    width: int = 800
    height: int = 600
    fov: float = 90.0
    interval: float = 0.0  # seconds between images; 0: every tick
    next_capture: float = 0.0  # simulated seconds since the episode began


@dataclass(eq=False)
class TrafficLight(Actor):
    """A traffic light; `simulator.world.traffic_lights` switches it. Times are in seconds."""

    signal: Signal = field(kw_only=True)
    state: int = RED
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    elapsed: float = 0.0  # since the junction's current phase changed its state
    frozen: bool = False
    pole_index: int = 0  # position among the lights of the junction

    def pack_state(self) -> bytes:
        """Return the id of the OpenDRIVE signal, the times and the state."""
        times = (self.green_time, self.yellow_time, self.red_time, self.elapsed)
        signal_id = str(self.signal.id).encode()
        return encodings.TRAFFIC_LIGHT_STATE.pack(signal_id, *times, self.pole_index, self.frozen, self.state)


@dataclass(eq=False)
class TrafficSign(Actor):
    """A stop, yield or speed limit sign."""

    signal: Signal = field(kw_only=True)

    def pack_state(self) -> bytes:
        """Return the id of the OpenDRIVE signal."""
        return encodings.TRAFFIC_SIGN_STATE.pack(str(self.signal.id).encode())


def clip(value: float, low: float, high: float = 1.0) -> float:
    """Return a number clipped to low..high; not-a-number becomes 0."""
    value = float(value)
    return 0.0 if math.isnan(value) else min(high, max(low, value))


def number_attribute(attributes: Mapping[str, str], name: str, low: float, high: float) -> float:
    """Return an attribute as a number; raise ValueError, naming the attribute, unless it lies in low..high."""
    try:
        value = float(attributes[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"attribute {name} is {attributes[name]!r}, it must lie in {low:g}..{high:g}")
    return value


def check_colour(text: str) -> None:
    """Raise ValueError unless the text is "red,green,blue", each 0 to 255."""
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
    """Return a new actor of the class that its blueprint needs; raise ValueError for invalid attributes."""
    values = blueprint.defaults()
    values.update({name: str(value) for name, value in attributes.items() if name in values})
    if "color" in values:
        check_colour(values["color"])
    common = (actor_id, blueprint, transform, values, parent)
    if entry := CATALOGUE.get(blueprint.id):
        label = LABELS[entry.kind]
        if entry.kind == "pedestrian":
            return Walker(*common, box_extent=entry.extent, label=label)
        centre = (0.0, 0.0, entry.extent[2])
        return Vehicle(*common, box_centre=centre, box_extent=entry.extent, label=label)
    if blueprint.id.startswith(CAMERA_PREFIX):
        return Camera(
            *common,
            kind=blueprint.id.removeprefix(CAMERA_PREFIX),
            width=int(number_attribute(values, "image_size_x", 1, MAX_IMAGE_SIDE)),
            height=int(number_attribute(values, "image_size_y", 1, MAX_IMAGE_SIDE)),
            fov=number_attribute(values, "fov", 1.0, 170.0),
            interval=number_attribute(values, "sensor_tick", 0.0, 1e6),
        )
    return Actor(*common)
