"""Models by name, each in three levels of detail, built when first asked for and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing import furniture, people, plants, two_wheelers, vehicles
from simulator.drawing.mesh import Triangles

DETAILS = (1.0, 0.5, 0.3)
WALK_PHASES = 12
Builder = Callable[[float], Triangles]


@dataclass(frozen=True)
class Model:
    """levels: triangles from fine to coarse. centre (3,), radius: a ball round it, metres.
    footprint: half length and half width on the ground, metres; what it shades from the sky."""

    levels: tuple[Triangles, ...]
    centre: np.ndarray
    radius: float
    footprint: tuple[float, float]


@cache
def model(name: str) -> Model:
    """A model by name: "KIND ARGUMENT ...", as `body_model` and `furniture.PROPS` give them, or
    "tree KIND SEED" and "bush SEED"."""
    build = builder(name)
    levels = tuple(build(detail) for detail in DETAILS)
    points = levels[0].vertices.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    standing = points[points[:, 2] < low[2] + 0.6]
    footprint = np.abs(standing[:, :2]).max(axis=0)
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    return Model(levels, centre, radius, (float(footprint[0]), float(footprint[1])))


def builder(name: str) -> Builder:
    """What builds the model of that name at a level of detail."""
    kind, *words = name.split(" ")
    if kind == "tree":
        return lambda detail: plants.tree(words[0], int(words[1]), detail)
    if kind == "bush":
        return lambda detail: plants.bush(int(words[0]), detail)
    if kind == "walker":
        phase = int(words[1])
        return lambda detail: people.pedestrian(words[0], max(phase, 0) / WALK_PHASES, phase >= 0, detail)
    if kind == "vehicle":
        return vehicle_builder(words[0], ridden=words[-1] == "ridden")
    return furniture.PROPS[name]


def vehicle_builder(type_id: str, ridden: bool) -> Builder:
    """What builds a vehicle of the catalogue."""
    kind = CATALOGUE[type_id].kind
    if kind == "bicycle":
        return lambda detail: two_wheelers.bicycle(type_id, ridden, detail)
    if kind == "motorcycle":
        return lambda detail: two_wheelers.motorcycle(type_id, ridden, detail)
    build = {"car": vehicles.car, "truck": vehicles.truck, "bus": vehicles.bus}[kind]
    return lambda detail: build(type_id, detail)


def body_model(type_id: str, speed: float, phase: float) -> str:
    """The name of the model that shows a blueprint; phase 0..1 of the walking cycle. KeyError if unknown."""
    if CATALOGUE[type_id].kind == "pedestrian":
        step = int(phase * WALK_PHASES) % WALK_PHASES if speed > 0.1 else -1
        return f"walker {type_id} {step}"
    return f"vehicle {type_id} ridden"
