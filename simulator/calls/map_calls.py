"""The calls about the town itself: roads, navigation mesh, environment objects, ray casting."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from simulator.calls.dispatch import Session, call
from simulator.geometry import Transform, compose
from simulator.protocol.encodings import MAP_FOLDER, Vector, transform_to_wire, vector_from_wire
from simulator.world.actors import Vehicle, Walker
from simulator.world.environment_objects import ANY_LABEL
from simulator.world.ray_casting import first_hit
from simulator.world.world import RefusedError


@call()
def get_map_info(session: Session) -> list[Any]:
    """Return the map's name and its recommended spawn points."""
    town = session.world.town
    return [MAP_FOLDER + town.name, [transform_to_wire(point) for point in town.spawn_points]]


@call()
def get_map_data(session: Session) -> str:
    """Return the roads as OpenDRIVE text."""
    return session.world.town.opendrive


@call()
def get_required_files(session: Session, folder: str = "") -> list[str]:
    """Return the names of the map's files in a folder; the navigation mesh is the only one.

    Clients cache files by name, so the name contains a checksum of the contents.
    """
    return [navigation_file(session)] if folder == "Nav" and session.world.town.navigation else []


@call()
def request_file(session: Session, name: str) -> bytes:
    """Return the contents of a file that `get_required_files` named."""
    if name != navigation_file(session):
        raise RefusedError(f"no file {name!r}")
    return session.world.town.navigation


def navigation_file(session: Session) -> str:
    """Return the file name of the current town's navigation mesh."""
    town = session.world.town
    return f"{MAP_FOLDER}Nav/{town.name}-{zlib.crc32(town.navigation):08x}.bin"


@call()
def project_point(session: Session, start: list[float], direction: list[float], distance: float) -> list[Any]:
    """Find the first surface from a point in a direction, at most `distance` metres away.

    Return `[found, [location, label]]`.
    """
    origin, along = np.array(vector_from_wire(start)), np.array(vector_from_wire(direction))
    length = float(np.linalg.norm(along))
    hit = first_hit(session.world, origin, origin + along / length * distance) if length > 0.0 else None
    return [hit is not None, labelled_point(*(hit or ((0.0, 0.0, 0.0), 0)))]


@call()
def cast_ray(session: Session, start: list[float], end: list[float]) -> list[Any]:
    """Return the first surface between two points as `[[location, label]]`, an empty list if there is none."""
    hit = first_hit(session.world, np.array(vector_from_wire(start)), np.array(vector_from_wire(end)))
    return [labelled_point(*hit)] if hit else []


def labelled_point(location: Vector, label: int) -> list[Any]:
    """Return a location and CARLA's label of the surface there as they are sent."""
    return [list(location), label]


@call()
def get_environment_objects(session: Session, label: int) -> list[Any]:
    """Return the environment objects that have a label; 255 means any."""
    return [item.to_wire() for item in session.world.town.environment_objects if label in (item.label, ANY_LABEL)]


@call()
def get_all_level_BBs(session: Session, label: int) -> list[Any]:  # noqa: N802  (the protocol's name)
    """Return the bounding boxes of everything that has a label, vehicles and pedestrians included; 255 means any."""
    boxes = [item.box_to_wire() for item in session.world.town.environment_objects if label in (item.label, ANY_LABEL)]
    for actor in session.world.actors.values():
        if isinstance(actor, Vehicle | Walker) and label in (actor.label, ANY_LABEL):
            pose = actor.world_transform()
            location, rotation = transform_to_wire(compose(pose, Transform(*actor.box_centre)))
            boxes.append([location, list(actor.box_extent), rotation, actor.id])
    return boxes


@call()
def get_imui_gravity(session: Session) -> float:
    """Return the gravity for inertial sensors, m/s^2."""
    return 9.81
