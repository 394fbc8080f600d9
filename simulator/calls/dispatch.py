"""The calls of the RPC channel: how they are registered, found, answered and refused.

A call is a function whose name is the method's and whose first parameter is the `Session`. If its return
annotation is None, it answers like CARLA's `Response<void>`. A call holds the world's lock unless it is declared
with `locked=False`.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.protocol import encodings
from simulator.protocol.rpc import UnknownMethodError
from simulator.protocol.streams import StreamServer
from simulator.world.town import RendererFactory, Town
from simulator.world.world import RefusedError, World

ARGUMENT_ERRORS = (TypeError, ValueError, LookupError, AttributeError, OverflowError, struct.error)
"""The exceptions that unpacking, converting or using malformed arguments of a client can raise."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrafficManager:
    """A traffic manager that runs inside a client: the host that it reported, and the client's connection."""

    host: str
    connection: object


@dataclass
class Service:
    """The state that all clients share."""

    world: World
    streams: StreamServer
    make_renderer: RendererFactory
    towns: dict[str, Town] = field(default_factory=dict)
    uploaded_opendrive: str = ""  # text sent by a client
    traffic_managers: dict[int, TrafficManager] = field(default_factory=dict)  # by port
    load_lock: threading.Lock = field(default_factory=threading.Lock)

    def drop_client(self, connection: object) -> None:
        """Remove what belongs to a client that is gone."""
        self.streams.cancel_expected_subscriptions(connection)
        with self.world.lock:
            for port, manager in list(self.traffic_managers.items()):
                if manager.connection is connection:
                    del self.traffic_managers[port]


@dataclass(frozen=True)
class Session:
    """The context of one call: the service, and the connection of the client that calls."""

    service: Service
    connection: object

    @property
    def world(self) -> World:
        """The world of the service."""
        return self.service.world


@dataclass(frozen=True)
class Call:
    """A registered call."""

    function: Callable[..., Any]
    signature: inspect.Signature
    locked: bool
    raw: bool

    @property
    def returns_value(self) -> bool:
        """Whether the client expects a value."""
        return self.signature.return_annotation != "None"  # annotations are strings here


CALLS: dict[str, Call] = {}

UNSUPPORTED = {  # method -> whether it returns a value; the town lacks what they need
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

ACCEPTED = {  # answered without any effect: the town has no engines, doors, skeletons, layers or screens
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

EMPTY = {  # answered with an empty list: the town has none of these
    *("get_names_of_all_objects", "query_lights_state", "get_light_boxes"),
    *("get_actor_bone_names", "get_actor_bone_relative_transforms", "get_actor_bone_world_transforms"),
    *("get_actor_socket_names", "get_actor_socket_relative_transforms", "get_actor_socket_world_transforms"),
    *("get_actor_component_names", "get_vehicle_bone_world_transforms"),
}


def call(*, locked: bool = True, raw: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that registers a call.

    `locked`: the call holds the world's lock. `raw`: its result is sent as it is, without `encodings.success`.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        CALLS[function.__name__] = Call(function, inspect.signature(function), locked, raw)
        return function

    return register


def dispatch(service: Service, connection: object, method: str, arguments: list[Any]) -> Any:
    """Return the response to one request; raise UnknownMethodError.

    Every other error becomes a response, so that no client is left waiting.
    """
    if method in UNSUPPORTED:
        message = f"{method} is not supported by the embedded town"
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
        if arguments and isinstance(error, ARGUMENT_ERRORS):
            log.info("%s refused.", method, exc_info=True)
            message = f"{method}: malformed arguments ({error})"
        else:
            log.exception("%s failed.", method)
            message = f"{method} failed: {error}"
        return encodings.failure(message, returns_value=found.returns_value)
    if found.raw:
        return result
    return encodings.success(result) if found.returns_value else encodings.success_without_value()
