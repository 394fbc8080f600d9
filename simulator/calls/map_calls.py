"""The calls about the town itself: its roads, its things, rays through it."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from simulator.calls.dispatch import MAP_FOLDER, Session, call
from simulator.geometry import Transform, compose
from simulator.protocol.encodings import Vector, transform_to_wire, vector_from_wire
from simulator.world.actors import Vehicle, Walker
from simulator.world.environment_objects import ANY_LABEL
from simulator.world.episode import RefusedError
from simulator.world.ray_casting import first_hit


@call()
def get_map_info(session: Session) -> list[Any]:
    """Name and recommended spawn points."""
    town = session.world.town
    return [MAP_FOLDER + town.name, [transform_to_wire(point) for point in town.spawn_points]]


@call()
def get_map_data(session: Session) -> str:
    """The roads as OpenDRIVE text."""
    return session.world.town.opendrive


@call()
def get_required_files(session: Session, folder: str = "") -> list[str]:
    """The files of a kind that belong to the map: only the navigation mesh is one.

    Clients keep files in their cache by name, so the name changes with the contents.
    """
    return [navigation_file(session)] if folder == "Nav" and session.world.town.navigation else []


@call()
def request_file(session: Session, name: str) -> bytes:
    """The contents of a file that `get_required_files` named."""
    if name != navigation_file(session):
        raise RefusedError(f"no file {name!r}")
    return session.world.town.navigation


def navigation_file(session: Session) -> str:
    """Name of the present town's navigation mesh."""
    town = session.world.town
    return f"{MAP_FOLDER}Nav/{town.name}-{zlib.crc32(town.navigation):08x}.bin"


@call()
def project_point(session: Session, start: list[float], direction: list[float], distance: float) -> list[Any]:
    """What lies from a point in a direction, at most `distance` metres away: `[found, [location, label]]`."""
    origin, along = np.array(vector_from_wire(start)), np.array(vector_from_wire(direction))
    length = float(np.linalg.norm(along))
    hit = first_hit(session.world, origin, origin + along / length * distance) if length > 0.0 else None
    return [hit is not None, labelled_point(*(hit or ((0.0, 0.0, 0.0), 0)))]


@call()
def cast_ray(session: Session, start: list[float], end: list[float]) -> list[Any]:
    """The first thing between two points, as a list of none or one `[location, label]`."""
    hit = first_hit(session.world, np.array(vector_from_wire(start)), np.array(vector_from_wire(end)))
    return [labelled_point(*hit)] if hit else []


def labelled_point(location: Vector, label: int) -> list[Any]:
    """A place and CARLA's label of what is there."""
    return [list(location), label]


@call()
def get_environment_objects(session: Session, label: int) -> list[Any]:
    """The things in the town that have a label; 255 stands for any."""
    return [thing.to_wire() for thing in session.world.town.things if label in (thing.label, ANY_LABEL)]


@call()
def get_all_level_BBs(session: Session, label: int) -> list[Any]:  # noqa: N802  (the protocol's name)
    """The boxes of the things that have a label, vehicles and pedestrians included; 255 stands for any."""
    boxes = [thing.box_to_wire() for thing in session.world.town.things if label in (thing.label, ANY_LABEL)]
    for actor in session.world.actors.values():
        if isinstance(actor, Vehicle | Walker) and label in (actor.label, ANY_LABEL):
            pose = actor.world_transform()
            location, rotation = transform_to_wire(compose(pose, Transform(*actor.box_centre)))
            boxes.append([location, list(actor.box_extent), rotation, actor.id])
    return boxes


@call()
def get_imui_gravity(session: Session) -> float:
    """Gravity for inertial sensors, m/s^2."""
    return 9.81
