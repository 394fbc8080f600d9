"""Models by name, each at several levels of detail, built on first use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing import cars, furniture, people, plants, trucks, two_wheelers
from simulator.drawing.mesh import Triangles, empty_triangles

DETAILS = (1.0, 0.5, 0.3, 0.15)  # `Mesh.detail` of each level, fine to coarse
LEVELS = len(DETAILS)
WALK_PHASES = 8  # models per walking cycle
SHADE_HEIGHT = 0.6  # metres; only what is lower than this shades the ground under a model
Builder = Callable[[float], Triangles]  # builds a model at a given `Mesh.detail`


@dataclass(frozen=True)
class Model:
    """The position of a model's triangles in the library, and the model's size.

    first, last (LEVELS,): range of triangles of each level of detail, fine to coarse; last is excluded.
    centre (3,), radius: its bounding sphere, metres. footprint: half length and half width on the ground, metres,
    for the shade under it.
    """

    first: np.ndarray
    last: np.ndarray
    centre: np.ndarray
    radius: float
    footprint: tuple[float, float]


class ModelLibrary:
    """All models built so far, one after the other in `triangles`, of which `used` entries are filled."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.triangles = empty_triangles(1 << 16)
        self.used = 0

    def model(self, name: str) -> Model:
        """Return a model by name, built on first use.

        Names: "walker TYPE_ID PHASE" (PHASE -1: standing), "vehicle TYPE_ID parked" or "vehicle TYPE_ID ridden",
        "tree KIND SEED", "bush SEED", or a key of `furniture.PROPS`.
        """
        if name not in self.models:
            build = model_builder(name)
            levels = [build(detail) for detail in DETAILS]
            self.models[name] = model_entry(levels, *self._append(levels))
        return self.models[name]

    def _append(self, levels: list[Triangles]) -> tuple[np.ndarray, np.ndarray]:
        """Add the triangles of a model; return (first, last) (LEVELS,), see `Model`."""
        counts = np.array([len(level.label) for level in levels])
        last = self.used + np.cumsum(counts)
        while len(self.triangles.label) < last[-1]:  # the capacity doubles, so that few copies are made
            larger = empty_triangles(2 * len(self.triangles.label))
            for new, old in zip(larger, self.triangles, strict=True):
                new[: len(old)] = old
            self.triangles = larger
        for level, end in zip(levels, last, strict=True):
            for target, values in zip(self.triangles, level, strict=True):
                target[end - len(values) : end] = values
        self.used = int(last[-1])
        return last - counts, last


def model_entry(levels: list[Triangles], first: np.ndarray, last: np.ndarray) -> Model:
    """Return a model's entry in the library; its size is that of the finest level."""
    points = levels[0].vertices.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    near_ground = points[points[:, 2] < low[2] + SHADE_HEIGHT]
    half_length, half_width = np.abs(near_ground[:, :2]).max(axis=0)
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    return Model(first, last, centre, radius, (float(half_length), float(half_width)))


def model_builder(name: str) -> Builder:
    """Return the function that builds the named model at a given detail."""
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
    """Return the function that builds a vehicle of the catalogue at a given detail."""
    kind = CATALOGUE[type_id].kind
    if kind == "bicycle":
        return lambda detail: two_wheelers.bicycle(type_id, ridden, detail)
    if kind == "motorcycle":
        return lambda detail: two_wheelers.motorcycle(type_id, ridden, detail)
    build = {"car": cars.car, "truck": trucks.truck, "bus": trucks.bus}[kind]
    return lambda detail: build(type_id, detail)


def body_model_name(type_id: str, speed: float, phase: float) -> str:
    """Return the name of the model that shows a moving vehicle or pedestrian.

    type_id: blueprint id. speed: m/s. phase: 0 to 1, of the walking cycle; vehicles ignore it. Raise KeyError for an
    unknown type_id.
    """
    if CATALOGUE[type_id].kind == "pedestrian":
        index = int(phase * WALK_PHASES) % WALK_PHASES if speed > 0.1 else -1
        return f"walker {type_id} {index}"
    return f"vehicle {type_id} ridden"
