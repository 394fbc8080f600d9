"""Encodings of values on the wire: the binary structures of CARLA 0.9.16.

RPC values are positional msgpack arrays; sensor data are packed little-endian structures. Lengths are in
metres, angles in degrees, axes left-handed (x forward, y right, z up). Offsets and indices are those of the
0.9.16 wheel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from simulator.geometry import Transform

VERSION = "0.9.16"
MAP_FOLDER = "Carla/Maps/"  # clients expect map names inside Unreal's content folder

Vector = tuple[float, float, float]
ZERO: Vector = (0.0, 0.0, 0.0)

# indices in the client's sensor registry
SENSOR_TYPES = {
    "depth": 1,
    "rgb": 13,
    "semantic_segmentation": 14,
    "instance_segmentation": 15,
}
WORLD_OBSERVER = 17

TOKEN = struct.Struct("<IHBB16s")
SENSOR_HEADER = struct.Struct("<QQd6f")
IMAGE_HEADER = struct.Struct("<IIf")
EPISODE_HEADER = struct.Struct("<Qdf3iI")
ACTOR_RECORD = struct.Struct("<IB6f9f54s")
VEHICLE_STATE = struct.Struct("<3f3?ifB?IB")
WALKER_STATE = struct.Struct("<4f?")
TRAFFIC_LIGHT_STATE = struct.Struct("<32s4fI?B")
TRAFFIC_SIGN_STATE = struct.Struct("<32s")

TCP, ADDRESS_UNSET = 1, 0
ACTIVE = 1  # state of an actor
MAP_CHANGED = 1  # bit of the episode header's simulation state


def vector_from_wire(value: Sequence[float]) -> Vector:
    """Return three floats; raise ValueError unless there are exactly three and all are finite."""
    x, y, z = (float(part) for part in value)
    if not all(abs(part) < 1e9 for part in (x, y, z)):
        raise ValueError(f"a vector is not finite: {[x, y, z]}")
    return x, y, z


def transform_from_wire(value: Sequence[Any]) -> Transform:
    """Return the Transform of `[[x, y, z], [pitch, yaw, roll]]`; raise ValueError for any other structure."""
    location, rotation = value
    return Transform(*vector_from_wire(location), *vector_from_wire(rotation))


def transform_to_wire(transform: Transform) -> list[list[float]]:
    """Return a Transform as `[[x, y, z], [pitch, yaw, roll]]`."""
    return [
        [float(transform.x), float(transform.y), float(transform.z)],
        [float(transform.pitch), float(transform.yaw), float(transform.roll)],
    ]


def bounding_box_to_wire(centre: Sequence[float], extent: Sequence[float], actor_id: int = 0) -> list[Any]:
    """Return a bounding box aligned with its actor; `extent` is half of its sides."""
    return [[float(v) for v in centre], [float(v) for v in extent], list(ZERO), actor_id]


def stream_token(stream_id: int, port: int) -> bytes:
    """Return the 24 bytes that locate a stream; they have no address, so the client uses the host it knows."""
    return TOKEN.pack(stream_id, port, TCP, ADDRESS_UNSET, b"")


def sensor_header(sensor_type: int, frame: int, elapsed: float, transform: Transform) -> bytes:
    """Return the 48 bytes at the start of every message; `elapsed` is simulated seconds since the episode began."""
    pose = (transform.x, transform.y, transform.z, transform.pitch, transform.yaw, transform.roll)
    return SENSOR_HEADER.pack(sensor_type, frame, elapsed, *pose)


def image_header(width: int, height: int, fov: float) -> bytes:
    """Return the 12 bytes between the sensor header and the BGRA pixels; `fov` is horizontal."""
    return IMAGE_HEADER.pack(width, height, fov)


def episode_header(episode: int, platform_time: float, delta: float, map_changed: bool) -> bytes:
    """Return the 36 bytes between the sensor header and the actor records of an episode state."""
    return EPISODE_HEADER.pack(episode, platform_time, delta, 0, 0, 0, MAP_CHANGED if map_changed else 0)


def actor_record(
    actor_id: int,
    transform: Transform,
    velocity: Vector,
    angular_velocity: Vector,
    acceleration: Vector,
    state: bytes,
) -> bytes:
    """Return the 119 bytes of one actor in the episode state; `state`, at most 54 bytes, depends on its class."""
    pose = (transform.x, transform.y, transform.z, transform.pitch, transform.yaw, transform.roll)
    return ACTOR_RECORD.pack(
        actor_id, ACTIVE, *pose, *velocity, *angular_velocity, *acceleration, state.ljust(54, b"\0")
    )


def optional_to_wire(value: Any | None) -> list[Any]:
    """Return a value as a std::optional: `[False]` or `[True, value]`."""
    return [False] if value is None else [True, value]


def optional_from_wire(value: Sequence[Any] | None) -> Any | None:
    """Return the value of a std::optional, None if it is empty."""
    return value[1] if value and value[0] else None


def success(value: Any) -> list[Any]:
    """Return the response of a call that returns a value."""
    return [[1, value]]


def success_without_value() -> list[Any]:
    """Return the response of a call that returns nothing."""
    return [optional_to_wire(None)]


def failure(message: str, *, returns_value: bool) -> list[Any]:
    """Return the response that makes the client raise RuntimeError(message)."""
    return [[0, [message]]] if returns_value else [optional_to_wire([message])]
