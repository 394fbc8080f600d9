"""The world: one episode in one town, its clock, its actors, and what happens in a tick.

Nothing here knows of sockets but `streams`. Whoever calls holds `World.lock`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing.renderer import Body
from simulator.drawing.renderer import Camera as View
from simulator.geometry import Transform
from simulator.protocol import encodings
from simulator.protocol.streams import STATE_ROOM, StreamServer
from simulator.roads.road_network import Signal
from simulator.weather import Weather
from simulator.world import vehicle_motion, walker_motion
from simulator.world.actors import (
    LIGHT_NAMES,
    TRAFFIC_LIGHT_LABEL,
    TRAFFIC_SIGN_LABEL,
    Actor,
    Camera,
    TrafficLight,
    TrafficSign,
    Vehicle,
    Walker,
    make_actor,
)
from simulator.world.blueprints import LIBRARY, Blueprint
from simulator.world.town import Town
from simulator.world.traffic_lights import StopIndex, actor_pose, make_cycles, trigger_volume

STATE_STREAM = 1
ASYNCHRONOUS_PERIOD = 0.05  # seconds between ticks when no client gives the pace and no step is set
SLOWEST_TICK = 0.5  # seconds that pass in the town at most, however long the last tick took
LONGEST_STEP = 10.0  # seconds that a client may let pass in a tick
MOST_ACTORS = 5000

KindOfActor = TypeVar("KindOfActor", bound=Actor)


class RefusedError(Exception):
    """What a client asks for cannot be done; the message is for it."""


@dataclass(frozen=True)
class Settings:
    """What the server heeds of `carla.WorldSettings`; `wire` is all of it, as it is given back."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None
    wire: tuple[Any, ...] = (False, False, [False], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True)

    @classmethod
    def from_wire(cls, value: list[Any]) -> Settings:
        """The settings that a client sent, 11 values; raises ValueError for a time step not in 0..10 s."""
        synchronous, no_rendering, fixed, *others = value
        if not isinstance(synchronous, bool) or not isinstance(no_rendering, bool) or len(others) != 8:
            raise ValueError("these are no world settings")
        delta = encodings.optional_from_wire(fixed)
        if delta is not None and not 0.0 <= float(delta) <= LONGEST_STEP:
            raise ValueError(f"fixed_delta_seconds is {delta}, it must lie in 0..{LONGEST_STEP:g}")
        return cls(synchronous, no_rendering, float(delta) if delta else None, tuple(value))


@dataclass
class World:
    """One episode after another. `frame` grows through all of them."""

    town: Town
    streams: StreamServer
    seed: int
    lock: threading.RLock = field(default_factory=threading.RLock)
    settings: Settings = Settings()
    weather: Weather = field(default_factory=Weather)
    episode: int = 0
    frame: int = 0
    elapsed: float = 0.0
    actors: dict[int, Actor] = field(default_factory=dict)
    next_id: int = 1
    started: float = field(default_factory=time.monotonic)
    last_step: float = field(default_factory=time.monotonic)
    quiet_until: float = 0.0  # by the monotonic clock; until then the world does not tick by itself

    def __post_init__(self) -> None:
        self.streams.open(STATE_STREAM, STATE_ROOM)
        self.begin_episode(self.town)

    # -- episodes ------------------------------------------------------------------------------------------

    def begin_episode(self, town: Town) -> None:
        """Starts anew in a town: all actors go, and the town's own come."""
        for actor in self.actors.values():
            if actor.stream_id:
                self.streams.retire(actor.stream_id)
        self.town, self.actors, self.elapsed = town, {}, 0.0
        self.weather = Weather()
        self.episode += 1
        self.spectator = self.enrol(Actor, "spectator", Transform(z=50.0, pitch=-90.0))
        for signal in town.network.signals.values():
            self.enrol_signal(signal)
        lights = list(self.all(TrafficLight))
        self.cycles, self.stops = make_cycles(lights), StopIndex.of(lights)
        self.frame += 1

    def enrol_signal(self, signal: Signal) -> None:
        """Makes the actor of a traffic light or sign."""
        centre, extent = trigger_volume(signal)
        box = {"box_centre": centre, "box_extent": extent, "signal": signal}
        pose = actor_pose(signal)
        if signal.kind == "traffic_light":
            self.enrol(TrafficLight, "traffic.traffic_light", pose, label=TRAFFIC_LIGHT_LABEL, **box)
        else:
            limit = f".{signal.value:.0f}" if signal.kind == "speed_limit" else ""
            self.enrol(TrafficSign, f"traffic.{signal.kind}{limit}", pose, label=TRAFFIC_SIGN_LABEL, **box)

    def enrol(self, kind: type[KindOfActor], name: str, transform: Transform, **details: Any) -> KindOfActor:
        """Adds an actor that belongs to the town."""
        actor = kind(self.new_id(), Blueprint(0, name), transform, **details)
        self.actors[actor.id] = actor
        return actor

    def new_id(self) -> int:
        """An id that no actor or stream has had."""
        self.next_id += 1
        return self.next_id

    # -- actors --------------------------------------------------------------------------------------------

    def all(self, kind: type[KindOfActor]) -> Iterable[KindOfActor]:
        """Every actor of a kind, in the order of their ids."""
        return (actor for actor in self.actors.values() if isinstance(actor, kind))

    def find(self, actor_id: int, kind: type[KindOfActor] = Actor) -> KindOfActor:
        """The actor with this id; raises RefusedError if there is none, or if it is of another kind."""
        actor = self.actors.get(actor_id)
        if actor is None:
            raise RefusedError(f"actor {actor_id} not found: it may have been destroyed, or belong to another episode")
        if not isinstance(actor, kind):
            raise RefusedError(f"actor {actor_id} ({actor.type_id}) is no {kind.__name__.lower()}")
        return actor

    def spawn(self, type_id: str, attributes: Mapping[str, str], transform: Transform, parent_id: int = 0) -> Actor:
        """A new actor; raises RefusedError if its place is taken or if it cannot be."""
        if type_id not in LIBRARY:
            raise RefusedError(f"unknown blueprint {type_id!r}: ask get_blueprint_library() for those there are")
        if len(self.actors) >= MOST_ACTORS:
            raise RefusedError(f"the town is full: it holds {MOST_ACTORS} actors")
        parent = self.find(parent_id) if parent_id else None
        try:
            actor = make_actor(self.new_id(), LIBRARY[type_id], attributes, transform, parent)
        except ValueError as error:
            raise RefusedError(f"unable to spawn {type_id}: {error}") from error
        if isinstance(actor, Vehicle | Walker) and parent is None and self.occupied(actor):
            raise RefusedError("Spawn failed because of collision at spawn position")
        if isinstance(actor, Camera):
            actor.stream_id = actor.id
            self.streams.open(actor.stream_id)
        self.actors[actor.id] = actor
        return actor

    def occupied(self, newcomer: Actor) -> bool:
        """Whether a vehicle or pedestrian stands where a new one is to be."""
        corners = footprint(newcomer)
        return any(
            footprints_overlap(corners, footprint(other))
            for other in self.actors.values()
            if isinstance(other, Vehicle | Walker)
            and abs(other.transform.z - newcomer.transform.z) < other.box_extent[2] + newcomer.box_extent[2]
        )

    def destroy(self, actor_id: int) -> None:
        """Removes an actor; what is attached to it stays. Raises RefusedError for the town's own."""
        actor = self.find(actor_id)
        if actor is self.spectator or isinstance(actor, TrafficLight | TrafficSign):
            raise RefusedError(f"unable to destroy actor {actor_id}: it belongs to the town")
        for child in [other for other in self.actors.values() if other.parent is actor]:
            child.transform, child.parent = child.world_transform(), None
        del self.actors[actor_id]
        if actor.stream_id:
            self.streams.retire(actor.stream_id)

    # -- the tick ------------------------------------------------------------------------------------------

    def step(self) -> int:
        """Lets one tick pass, sends its state and its images, and returns its frame."""
        now = time.monotonic()
        delta = self.settings.fixed_delta or min(SLOWEST_TICK, max(1e-3, now - self.last_step))
        self.last_step = now
        self.move(delta)
        self.frame += 1
        self.elapsed += delta
        self.publish_state(delta)
        if not self.settings.no_rendering:
            self.publish_images()
        return self.frame

    def move(self, delta: float) -> None:
        """Moves everything by `delta` seconds."""
        for cycle in self.cycles:
            cycle.advance(delta)
        for vehicle in self.all(Vehicle):
            vehicle_motion.drive(vehicle, delta)
            vehicle.traffic_light = self.stops.light_before(vehicle)
            vehicle.speed_limit = self.town.speed_limits.at(vehicle.transform.x, vehicle.transform.y)
        for walker in self.all(Walker):
            walker_motion.walk(walker, self.town.ground, delta)

    def publish_state(self, delta: float, map_changed: bool = False) -> None:
        """Sends the episode state: every actor of the world."""
        platform_time = time.monotonic() - self.started
        chunks = [
            encodings.sensor_header(encodings.WORLD_OBSERVER, self.frame, self.elapsed, Transform()),
            encodings.episode_header(self.episode, platform_time, delta, map_changed),
            *(actor.record() for actor in self.actors.values()),
        ]
        self.streams.publish(STATE_STREAM, (b"".join(chunks),), may_drop=False)

    def publish_images(self) -> None:
        """Draws and sends the image of every camera that is due and has a subscriber."""
        due = [camera for camera in self.all(Camera) if self.is_due(camera)]
        if not due:
            return
        for camera, image in zip(due, self.draw([view_of(camera) for camera in due]), strict=True):
            pose = camera.world_transform()
            header = encodings.sensor_header(
                encodings.SENSOR_TYPES[camera.kind], self.frame, self.elapsed, pose
            ) + encodings.image_header(camera.width, camera.height, camera.fov)
            pixels = memoryview(np.ascontiguousarray(image))
            camera.next_time = self.elapsed + camera.interval
            self.streams.publish(camera.stream_id, (header, pixels), may_drop=not self.settings.synchronous)

    def is_due(self, camera: Camera) -> bool:
        """Whether a camera takes a picture in this tick."""
        return self.streams.subscribed(camera.stream_id) and self.elapsed >= camera.next_time - 1e-6

    def draw(self, views: list[View]) -> list[np.ndarray]:
        """What the town looks like now: (height, width, 4) uint8 BGRA for each view."""
        states = {light.signal.id: LIGHT_NAMES[light.light] for light in self.all(TrafficLight)}
        # a negative value is CARLA's "as the map has it"
        weather = self.weather if self.weather.cloudiness >= 0.0 else Weather()
        bodies = [body_of(actor) for actor in self.actors.values() if isinstance(actor, Vehicle | Walker)]
        return self.town.renderer.render(views, bodies, weather, states, self.elapsed)


def view_of(camera: Camera) -> View:
    """What the renderer needs to know of a camera."""
    return View(camera.kind, camera.world_transform(), camera.width, camera.height, camera.fov)


def body_of(actor: Vehicle | Walker) -> Body:
    """What the renderer needs to know of something that moves."""
    if isinstance(actor, Walker):
        pose, lights, phase = walker_motion.feet_of(actor), 0, actor.phase
    else:
        pose, lights, phase = actor.world_transform(), actor.lights, 0.0
    if "color" in actor.attributes:
        red, green, blue = (int(part) for part in actor.attributes["color"].split(","))
    else:
        red, green, blue = CATALOGUE[actor.type_id].colours[0]
    return Body(actor.id, actor.type_id, pose, (red, green, blue), lights, actor.speed, phase)


def footprint(actor: Actor) -> np.ndarray:
    """Corners (4, 2) of the ground under an actor's box."""
    x, y, _ = actor.box_extent
    local = np.array([[x, y, 0, 1], [-x, y, 0, 1], [-x, -y, 0, 1], [x, -y, 0, 1]], float)
    return (local @ actor.world_transform().matrix().T)[:, :2]


def footprints_overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two rectangles (4, 2) overlap: no side of either separates them."""
    for corners in (a, b):
        for axis in (corners[1] - corners[0], corners[2] - corners[1]):
            along_a, along_b = a @ axis, b @ axis
            if along_a.max() <= along_b.min() or along_b.max() <= along_a.min():
                return False
    return True
