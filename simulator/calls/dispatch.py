"""The calls of the RPC channel: how they are found, answered and refused; and those about the session itself.

A call is a function whose name is the method's and whose first parameter is the `Session`. One annotated to
return None answers like CARLA's `Response<void>`. Calls hold the world's lock unless declared otherwise.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.protocol import encodings
from simulator.protocol.rpc import UnknownMethodError
from simulator.protocol.streams import StreamServer
from simulator.weather import Weather
from simulator.world.episode import STATE_STREAM, RefusedError, Settings, World
from simulator.world.town import UPLOADED, MakeRenderer, Town, build_town, map_names, town_of_opendrive

EPISODE_PAUSE = 0.1  # seconds
MAP_FOLDER = "Carla/Maps/"  # clients expect map names inside Unreal's content folder

MALFORMED = (TypeError, ValueError, LookupError, AttributeError, OverflowError, struct.error)
"""What unpacking, converting or using a client's arguments raises when they are not as they should be."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrafficManager:
    """A traffic manager inside a client: the host that it told, and the client's connection."""

    host: str
    connection: object


@dataclass
class Service:
    """What all clients share."""

    world: World
    streams: StreamServer
    make_renderer: MakeRenderer
    towns: dict[str, Town] = field(default_factory=dict)
    uploaded: str = ""  # OpenDRIVE text sent by a client
    traffic_managers: dict[int, TrafficManager] = field(default_factory=dict)  # by port
    loading: threading.Lock = field(default_factory=threading.Lock)

    def forget(self, connection: object) -> None:
        """Drops what belongs to a client that is gone."""
        self.streams.expect_nothing_from(connection)
        with self.world.lock:
            for port, manager in list(self.traffic_managers.items()):
                if manager.connection is connection:
                    del self.traffic_managers[port]


@dataclass(frozen=True)
class Session:
    """One call's view of the service: who calls, and the world."""

    service: Service
    connection: object

    @property
    def world(self) -> World:
        """The world of the service."""
        return self.service.world


@dataclass(frozen=True)
class Call:
    """One method."""

    function: Callable[..., Any]
    signature: inspect.Signature
    locked: bool
    bare: bool

    @property
    def returns_value(self) -> bool:
        """Whether the client awaits a value; annotations are strings here."""
        return self.signature.return_annotation != "None"


CALLS: dict[str, Call] = {}

UNSUPPORTED = {  # method -> whether it returns a value; what they need does not exist in this town
    "start_recorder": True,
    "show_recorder_file_info": True,
    "show_recorder_collisions": True,
    "show_recorder_actors_blocked": True,
    "replay_file": True,
    "get_gbuffer_token": True,
    "get_actor_component_world_transform": True,
    "get_actor_component_relative_transform": True,
    "enable_carsim": False,
    "enable_chrono_physics": False,
}

ACCEPTED = {  # answered and without effect: there are no engines, doors, skeletons, layers or screens here
    *("load_map_layer", "unload_map_layer", "enable_environment_objects", "draw_debug_shape"),
    *("clear_debug_shape", "clear_debug_string", "update_lights_state", "update_day_night_cycle"),
    *("set_actor_autopilot", "set_actor_collisions", "set_actor_dead", "set_actor_target_angular_velocity"),
    *("add_actor_torque", "add_actor_angular_impulse", "apply_physics_control", "set_wheel_steer_direction"),
    *("set_wheel_pitch_angle", "open_vehicle_door", "close_vehicle_door", "show_vehicle_debug_telemetry"),
    *("apply_ackermann_controller_settings", "use_carsim_road", "restore_physx_physics"),
    *("set_bones_transform", "blend_pose", "get_pose_from_animation", "set_imui_gravity", "send"),
    *("stop_recorder", "stop_replayer", "set_replayer_time_factor", "set_replayer_ignore_hero"),
    *("set_replayer_ignore_spectator", "enable_sensor_for_ros", "disable_sensor_for_ros", "enable_gbuffers"),
    *("apply_color_texture_to_object", "apply_color_texture_to_objects"),
    *("apply_float_color_texture_to_object", "apply_float_color_texture_to_objects"),
    "set_annotations_traverse_translucency",
}

EMPTY = {  # answered with an empty list: there are no such things
    *("get_names_of_all_objects", "query_lights_state", "get_light_boxes"),
    *("get_actor_bone_names", "get_actor_bone_relative_transforms", "get_actor_bone_world_transforms"),
    *("get_actor_socket_names", "get_actor_socket_relative_transforms", "get_actor_socket_world_transforms"),
    *("get_actor_component_names", "get_vehicle_bone_world_transforms"),
}


def call(*, locked: bool = True, bare: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function a call. `locked`: it holds the world's lock. `bare`: its result goes out as it is."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        CALLS[function.__name__] = Call(function, inspect.signature(function), locked, bare)
        return function

    return register


def dispatch(service: Service, connection: object, method: str, arguments: list[Any]) -> Any:
    """Answers one request; raises UnknownMethodError.

    Whatever else goes wrong becomes an answer, so that no client waits in vain.
    """
    if method in UNSUPPORTED:
        message = f"{method} is not supported by this town"
        return encodings.failure(message, returns_value=UNSUPPORTED[method])
    if method in ACCEPTED:
        return encodings.success_without_value()
    if method in EMPTY:
        return encodings.success([])
    if method not in CALLS:
        raise UnknownMethodError(f"unknown method {method!r}")
    found = CALLS[method]
    session = Session(service, connection)
    try:
        found.signature.bind(session, *arguments)
        with service.world.lock if found.locked else contextlib.nullcontext():
            result = found.function(session, *arguments)
    except RefusedError as refusal:
        return encodings.failure(str(refusal), returns_value=found.returns_value)
    except Exception as error:
        if arguments and isinstance(error, MALFORMED):
            log.info("%s refused.", method, exc_info=True)
            message = f"{method}: malformed arguments ({error})"
        else:
            log.exception("%s failed.", method)
            message = f"{method} failed: {error}"
        return encodings.failure(message, returns_value=found.returns_value)
    if found.bare:
        return result
    return encodings.success(result) if found.returns_value else encodings.success_without_value()


# -- session ----------------------------------------------------------------------------------------------


@call()
def version(session: Session) -> str:
    """The version that this server speaks."""
    return encodings.VERSION


@call()
def get_episode_info(session: Session) -> list[Any]:
    """Episode id, and the stream of its states."""
    return [session.world.episode, [encodings.token(STATE_STREAM, session.service.streams.port)]]


@call()
def get_sensor_token(session: Session, stream_id: int) -> list[bytes]:
    """The token of a stream; the client connects next, which the following tick waits for."""
    session.service.streams.expect(int(stream_id), session.connection)
    return [encodings.token(int(stream_id), session.service.streams.port)]


@call()
def get_episode_settings(session: Session) -> list[Any]:
    """The world's settings."""
    return list(session.world.settings.wire)


@call()
def set_episode_settings(session: Session, settings: list[Any]) -> int:
    """Changes the settings; returns the present frame."""
    session.world.settings = Settings.from_wire(settings)
    return session.world.frame


@call(locked=False)
def tick_cue(session: Session) -> int:
    """Lets one tick pass and returns its frame: its state and images are on their way by then."""
    streams = session.service.streams
    streams.wait_for_expected()
    if session.world.settings.synchronous:
        streams.wait_for_room()
    with session.world.lock:
        return session.world.step()


@call()
def get_weather_parameters(session: Session) -> list[float]:
    """The weather."""
    return session.world.weather.to_wire()


@call()
def set_weather_parameters(session: Session, weather: list[float]) -> None:
    """Changes the weather from the next tick on."""
    session.world.weather = Weather.from_wire(weather)


# -- maps -------------------------------------------------------------------------------------------------


@call()
def get_available_maps(session: Session) -> list[str]:
    """The maps that can be loaded."""
    return [f"/Game/{MAP_FOLDER}{name}" for name in map_names()]


@call(locked=False)
def load_new_episode(session: Session, name: str, reset_settings: bool = True, layers: int = 0xFFFF) -> None:
    """Starts a new episode in a town; an empty name means the present one."""
    service, world = session.service, session.world
    with service.loading:
        short = name.rsplit("/", 1)[-1].removesuffix("_Opt")
        town = find_town(service, short) if short else world.town
        with world.lock:
            if reset_settings:
                world.settings = Settings()
            world.begin_episode(town)
            world.quiet_until = time.monotonic() + 3.0 * EPISODE_PAUSE
        threading.Timer(EPISODE_PAUSE, announce_episode, [world]).start()


def announce_episode(world: World) -> None:
    """Sends the first state of an episode, for which a client polls once load_new_episode is answered.

    Not before: the client handles that state with a call of its own, which has to be answered at once, and
    then replaces its state stream; it may crash if another state comes meanwhile (hence `quiet_until`).
    """
    with world.lock:
        world.publish_state(0.0, map_changed=True)


def find_town(service: Service, name: str) -> Town:
    """The town of a name, built now if it never was; raises RefusedError if there is none."""
    if name == UPLOADED:
        if not service.uploaded:
            raise RefusedError("no OpenDRIVE text was sent: call generate_opendrive_world(text)")
        try:
            return town_of_opendrive(service.uploaded, service.world.seed, service.make_renderer)
        except Exception as error:
            raise RefusedError(f"the OpenDRIVE text cannot be used: {error}") from error
    if name not in map_names():
        raise RefusedError(f"map {name!r} not found; there are {', '.join(map_names())}")
    if name not in service.towns:
        service.towns[name] = build_town(name, service.world.seed, service.make_renderer)
    return service.towns[name]


@call()
def copy_opendrive_to_file(session: Session, text: str, parameters: list[Any]) -> None:
    """Receives roads; load_new_episode("OpenDriveMap") builds a town on them."""
    session.service.uploaded = text


# -- traffic managers: they run inside clients and find each other through the server ----------------------


@call()
def is_traffic_manager_running(session: Session, port: int) -> bool:
    """Whether a client runs a traffic manager on this port."""
    return port in session.service.traffic_managers


@call()
def get_traffic_manager_running(session: Session, port: int) -> list[Any]:
    """`[host, port]` of a traffic manager; port 0 if there is none."""
    manager = session.service.traffic_managers.get(port)
    return [manager.host, port] if manager else ["", 0]


@call()
def add_traffic_manager_running(session: Session, address: list[Any]) -> bool:
    """Notes a client's traffic manager; False if there is one on its port."""
    host, port = address
    if port in session.service.traffic_managers:
        return False
    session.service.traffic_managers[int(port)] = TrafficManager(str(host), session.connection)
    return True


@call()
def destroy_traffic_manager(session: Session, port: int) -> bool:
    """Forgets a traffic manager."""
    return session.service.traffic_managers.pop(port, None) is not None
