"""Models by name, each in several levels of detail, built when first asked for and kept side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing import cars, furniture, people, plants, trucks, two_wheelers
from simulator.drawing.mesh import Triangles, empty_triangles

DETAILS = (1.0, 0.5, 0.3, 0.15)
LEVELS = len(DETAILS)
WALK_PHASES = 8
Builder = Callable[[float], Triangles]


@dataclass(frozen=True)
class Model:
    """Where a model's triangles are in the library, and how large it is.

    first, last (LEVELS,): triangles of each level of detail, fine to coarse. centre (3,), radius: a ball
    round it, metres. footprint: half length and half width on the ground, metres, for its shade.
    """

    first: np.ndarray
    last: np.ndarray
    centre: np.ndarray
    radius: float
    footprint: tuple[float, float]


class Library:
    """All models built so far, their triangles in one."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.triangles = empty_triangles(1 << 16)
        self.used = 0

    def model(self, name: str) -> Model:
        """A model by name: "walker TYPE_ID PHASE", "vehicle TYPE_ID parked" or "ridden", "tree KIND SEED",
        "bush SEED", or a key of `furniture.PROPS`."""
        if name not in self.models:
            build = builder(name)
            levels = [build(detail) for detail in DETAILS]
            self.models[name] = measured(levels, *self._append(levels))
        return self.models[name]

    def _append(self, levels: list[Triangles]) -> tuple[np.ndarray, np.ndarray]:
        counts = np.array([len(level.label) for level in levels])
        last = self.used + np.cumsum(counts)
        while len(self.triangles.label) < last[-1]:
            larger = empty_triangles(2 * len(self.triangles.label))
            for new, old in zip(larger, self.triangles, strict=True):
                new[: len(old)] = old
            self.triangles = larger
        for level, end in zip(levels, last, strict=True):
            for store, values in zip(self.triangles, level, strict=True):
                store[end - len(values) : end] = values
        self.used = int(last[-1])
        return last - counts, last


def measured(levels: list[Triangles], first: np.ndarray, last: np.ndarray) -> Model:
    """A model's entry in the library."""
    points = levels[0].vertices.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    standing = points[points[:, 2] < low[2] + 0.6]
    length, width = np.abs(standing[:, :2]).max(axis=0)
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    return Model(first, last, centre, radius, (float(length), float(width)))


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
    build = {"car": cars.car, "truck": trucks.truck, "bus": trucks.bus}[kind]
    return lambda detail: build(type_id, detail)


def body_model(type_id: str, speed: float, phase: float) -> str:
    """The name of the model that shows a blueprint; phase 0..1 of the walking cycle. KeyError if unknown."""
    if CATALOGUE[type_id].kind == "pedestrian":
        step = int(phase * WALK_PHASES) % WALK_PHASES if speed > 0.1 else -1
        return f"walker {type_id} {step}"
    return f"vehicle {type_id} ridden"
