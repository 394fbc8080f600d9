"""The world: one episode in one town, with its clock, its actors and its tick.

It sends its data through `streams` only and knows nothing else of the network. Callers hold `World.lock`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing import renderer
from simulator.geometry import Transform
from simulator.protocol import encodings
from simulator.protocol.streams import STATE_QUEUE_SIZE, StreamServer
from simulator.roads.road_network import Signal
from simulator.weather import Weather
from simulator.world import vehicle_motion, walker_motion
from simulator.world.actors import (
    LIGHT_STATE_NAMES,
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

STATE_STREAM = 1  # id of the stream of episode states
ASYNCHRONOUS_PERIOD = 0.05  # seconds between ticks in asynchronous mode if fixed_delta_seconds is not set
MAX_MEASURED_DELTA = 0.5  # seconds that one tick simulates at most, however long ago the last tick was
MAX_FIXED_DELTA = 10.0  # seconds that a client may set for a tick
MAX_ACTORS = 5000

ActorT = TypeVar("ActorT", bound=Actor)


class RefusedError(Exception):
    """A client's request cannot be fulfilled; the message is sent to the client."""


@dataclass(frozen=True)
class WorldSettings:
    """The fields of `carla.WorldSettings` that the server honours; `wire` holds all fields, to be sent back."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None
    wire: tuple[Any, ...] = (False, False, [False], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True)

    @classmethod
    def from_wire(cls, value: list[Any]) -> WorldSettings:
        """Return the settings sent by a client, 11 values; raise ValueError for a time step outside 0..10 s."""
        synchronous, no_rendering, fixed, *others = value
        if not isinstance(synchronous, bool) or not isinstance(no_rendering, bool) or len(others) != 8:
            raise ValueError("these are not world settings")
        delta = encodings.optional_from_wire(fixed)
        if delta is not None and not 0.0 <= float(delta) <= MAX_FIXED_DELTA:
            raise ValueError(f"fixed_delta_seconds is {delta}, it must lie in 0..{MAX_FIXED_DELTA:g}")
        return cls(synchronous, no_rendering, float(delta) if delta else None, tuple(value))


@dataclass
class World:
    """The world, which runs one episode after another. `frame` keeps growing across episodes."""

    town: Town
    streams: StreamServer
    seed: int
    lock: threading.RLock = field(default_factory=threading.RLock)
    settings: WorldSettings = WorldSettings()
    weather: Weather = field(default_factory=Weather)
    episode: int = 0
    frame: int = 0
    elapsed: float = 0.0  # simulated seconds since the episode began
    actors: dict[int, Actor] = field(default_factory=dict)
    last_id: int = STATE_STREAM  # an actor's stream has the id of the actor
    # on the monotonic clock
    started: float = field(default_factory=time.monotonic)
    last_tick: float = field(default_factory=time.monotonic)
    ticks_paused_until: float = 0.0  # no asynchronous ticks before

    def __post_init__(self) -> None:
        self.streams.open(STATE_STREAM, STATE_QUEUE_SIZE)
        self.begin_episode(self.town)

    # -- episodes ------------------------------------------------------------------------------------------

    def begin_episode(self, town: Town) -> None:
        """Start an episode in a town: remove all actors and add the town's own."""
        for actor in self.actors.values():
            if actor.stream_id:
                self.streams.retire(actor.stream_id)
        self.town, self.actors, self.elapsed = town, {}, 0.0
        self.weather = Weather()
        self.episode += 1
        self.spectator = self.add_town_actor(Actor, "spectator", Transform(z=50.0, pitch=-90.0))
        for signal in town.network.signals.values():
            self.add_signal_actor(signal)
        lights = list(self.actors_of_class(TrafficLight))
        self.cycles, self.stops = make_cycles(lights), StopIndex.of(lights)
        self.frame += 1

    def add_signal_actor(self, signal: Signal) -> None:
        """Add the actor of a traffic light or sign."""
        centre, extent = trigger_volume(signal)
        details = {"box_centre": centre, "box_extent": extent, "signal": signal}
        pose = actor_pose(signal)
        if signal.kind == "traffic_light":
            self.add_town_actor(TrafficLight, "traffic.traffic_light", pose, label=TRAFFIC_LIGHT_LABEL, **details)
        else:
            limit = f".{signal.value:.0f}" if signal.kind == "speed_limit" else ""
            type_id = f"traffic.{signal.kind}{limit}"
            self.add_town_actor(TrafficSign, type_id, pose, label=TRAFFIC_SIGN_LABEL, **details)

    def add_town_actor(self, cls: type[ActorT], type_id: str, transform: Transform, **details: Any) -> ActorT:
        """Add and return an actor that belongs to the town."""
        actor = cls(self.new_id(), Blueprint(0, type_id), transform, **details)
        self.actors[actor.id] = actor
        return actor

    def new_id(self) -> int:
        """Return an id that no actor or stream has had."""
        self.last_id += 1
        return self.last_id

    # -- actors --------------------------------------------------------------------------------------------

    def actors_of_class(self, cls: type[ActorT]) -> Iterator[ActorT]:
        """Yield every actor of a class, in the order of their ids."""
        return (actor for actor in self.actors.values() if isinstance(actor, cls))

    def find(self, actor_id: int, cls: type[ActorT]) -> ActorT:
        """Return the actor with this id; raise RefusedError if there is none or it is not of the class."""
        actor = self.actors.get(actor_id)
        if actor is None:
            raise RefusedError(
                f"actor {actor_id} not found: it may have been destroyed, or it may belong to another episode"
            )
        if not isinstance(actor, cls):
            raise RefusedError(f"actor {actor_id} ({actor.type_id}) is not a {cls.__name__}")
        return actor

    def spawn(self, type_id: str, attributes: Mapping[str, str], transform: Transform, parent_id: int = 0) -> Actor:
        """Spawn and return an actor; raise RefusedError if its place is occupied or its attributes are invalid."""
        if type_id not in LIBRARY:
            raise RefusedError(f"unknown blueprint {type_id!r}: get_blueprint_library() lists the available ones")
        if len(self.actors) >= MAX_ACTORS:
            raise RefusedError(f"the town is full: it holds {MAX_ACTORS} actors")
        parent = self.find(parent_id, Actor) if parent_id else None
        try:
            actor = make_actor(self.new_id(), LIBRARY[type_id], attributes, transform, parent)
        except ValueError as error:
            raise RefusedError(f"unable to spawn {type_id}: {error}") from error
        if isinstance(actor, Vehicle | Walker) and parent is None and self.would_collide(actor):
            raise RefusedError("Spawn failed because of collision at spawn position")
        if isinstance(actor, Camera):
            actor.stream_id = actor.id
            self.streams.open(actor.stream_id)
        self.actors[actor.id] = actor
        return actor

    def would_collide(self, newcomer: Actor) -> bool:
        """Return whether a new actor overlaps a vehicle or pedestrian."""
        corners = footprint(newcomer)
        return any(
            footprints_overlap(corners, footprint(other))
            for other in self.actors.values()
            if isinstance(other, Vehicle | Walker)
            and abs(other.transform.z - newcomer.transform.z) < other.box_extent[2] + newcomer.box_extent[2]
        )

    def destroy(self, actor_id: int) -> None:
        """Remove an actor and detach its children; raise RefusedError if it belongs to the town."""
        actor = self.find(actor_id, Actor)
        if actor is self.spectator or isinstance(actor, TrafficLight | TrafficSign):
            raise RefusedError(f"unable to destroy actor {actor_id}: it belongs to the town")
        for child in [other for other in self.actors.values() if other.parent is actor]:
            child.transform, child.parent = child.world_transform(), None
        del self.actors[actor_id]
        if actor.stream_id:
            self.streams.retire(actor.stream_id)

    # -- the tick ------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Run one tick, send its state and its images, and return its frame."""
        now = time.monotonic()
        delta = self.settings.fixed_delta or min(MAX_MEASURED_DELTA, max(1e-3, now - self.last_tick))
        self.last_tick = now
        self.move(delta)
        self.frame += 1
        self.elapsed += delta
        self.publish_state(delta)
        if not self.settings.no_rendering:
            self.publish_images()
        return self.frame

    def move(self, delta: float) -> None:
        """Advance traffic lights, vehicles and walkers by `delta` seconds."""
        for cycle in self.cycles:
            cycle.advance(delta)
        for vehicle in self.actors_of_class(Vehicle):
            vehicle_motion.drive(vehicle, delta)
            vehicle.traffic_light = self.stops.light_ahead(vehicle)
            vehicle.speed_limit = self.town.speed_limits.at(vehicle.transform.x, vehicle.transform.y)
        for walker in self.actors_of_class(Walker):
            walker_motion.walk(walker, self.town.ground, delta)

    def publish_state(self, delta: float, map_changed: bool = False) -> None:
        """Send the episode state with the records of all actors."""
        platform_time = time.monotonic() - self.started
        chunks = [
            encodings.sensor_header(encodings.WORLD_OBSERVER, self.frame, self.elapsed, Transform()),
            encodings.episode_header(self.episode, platform_time, delta, map_changed),
            *(actor.pack_record() for actor in self.actors.values()),
        ]
        self.streams.publish(STATE_STREAM, (b"".join(chunks),), may_drop=False)

    def publish_images(self) -> None:
        """Render and send the image of every camera that captures one in this tick."""
        cameras = [camera for camera in self.actors_of_class(Camera) if self.captures_now(camera)]
        if not cameras:
            return
        for camera, image in zip(cameras, self.render([renderer_camera(camera) for camera in cameras]), strict=True):
            pose = camera.world_transform()
            header = encodings.sensor_header(
                encodings.SENSOR_TYPES[camera.kind], self.frame, self.elapsed, pose
            ) + encodings.image_header(camera.width, camera.height, camera.fov)
            pixels = np.ascontiguousarray(image).data
            camera.next_capture = self.elapsed + camera.interval
            self.streams.publish(camera.stream_id, (header, pixels), may_drop=not self.settings.synchronous)

    def captures_now(self, camera: Camera) -> bool:
        """Return whether a camera captures an image in this tick: it has a subscriber and its interval is over."""
        return self.streams.has_subscribers(camera.stream_id) and self.elapsed >= camera.next_capture - 1e-6

    def render(self, cameras: list[renderer.Camera]) -> list[np.ndarray]:
        """Render the town as it is now: one (height, width, 4) uint8 BGRA image per camera."""
        light_states = {light.signal.id: LIGHT_STATE_NAMES[light.state] for light in self.actors_of_class(TrafficLight)}
        # a negative value is CARLA's "as the map has it"
        weather = self.weather if self.weather.cloudiness >= 0.0 else Weather()
        bodies = [renderer_body(actor) for actor in self.actors.values() if isinstance(actor, Vehicle | Walker)]
        return self.town.renderer.render(cameras, bodies, weather, light_states, self.elapsed)


def renderer_camera(camera: Camera) -> renderer.Camera:
    """Return a camera as the renderer expects it."""
    return renderer.Camera(camera.kind, camera.world_transform(), camera.width, camera.height, camera.fov)


def renderer_body(actor: Vehicle | Walker) -> renderer.Body:
    """Return a vehicle or walker as the renderer expects it."""
    if isinstance(actor, Walker):
        pose, lights, phase = walker_motion.feet_pose(actor), 0, actor.phase
    else:
        pose, lights, phase = actor.world_transform(), actor.lights, 0.0
    if "color" in actor.attributes:
        red, green, blue = (int(part) for part in actor.attributes["color"].split(","))
    else:
        red, green, blue = CATALOGUE[actor.type_id].colours[0]
    return renderer.Body(actor.id, actor.type_id, pose, (red, green, blue), lights, actor.speed, phase)


def footprint(actor: Actor) -> np.ndarray:
    """Return the corners (4, 2) of an actor's bounding box on the ground."""
    x, y, _ = actor.box_extent
    local = np.array([[x, y, 0, 1], [-x, y, 0, 1], [-x, -y, 0, 1], [x, -y, 0, 1]], float)
    return (local @ actor.world_transform().matrix().T)[:, :2]


def footprints_overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two rectangles (4, 2) overlap, that is, whether no side of either separates them."""
    for corners in (a, b):
        for axis in (corners[1] - corners[0], corners[2] - corners[1]):
            along_a, along_b = a @ axis, b @ axis
            if along_a.max() <= along_b.min() or along_b.max() <= along_a.min():
                return False
    return True
