"""The things that stand in a town (houses, trees, poles, ...), as boxes with a name and CARLA's label."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.geometry import Transform
from simulator.protocol.encodings import Vector, transform_to_wire

if TYPE_CHECKING:
    from simulator.drawing.scenery import Scenery

ANY_LABEL = 255  # carla.CityObjectLabel.Any


@dataclass(frozen=True)
class Thing:
    """One thing. pose: of the middle of its box, turned about z only; extent: half of the box's sides."""

    id: int
    name: str
    label: int
    pose: Transform
    extent: Vector

    def box_to_wire(self) -> list[Any]:
        """Its box in the world."""
        location, rotation = transform_to_wire(self.pose)
        return [location, list(self.extent), rotation, 0]

    def to_wire(self) -> list[Any]:
        """An EnvironmentObject: `[transform, box, id, name, label]`."""
        return [transform_to_wire(self.pose), self.box_to_wire(), self.id, self.name, self.label]


def things_of(scenery: Scenery) -> list[Thing]:
    """Everything that stands in a town; ids are those that instance pictures show."""
    return [*buildings(scenery), *props(scenery)]


def buildings(scenery: Scenery) -> Iterator[Thing]:
    """What is drawn with a number of its own and is no model: houses, walls, fences."""
    stage = scenery.stage
    objects = stage.triangles.object[: stage.count]
    order = np.argsort(objects, kind="stable")
    order = order[objects[order] > 0]
    if len(order) == 0:
        return
    first = np.flatnonzero(np.diff(objects[order], prepend=-1))
    corners = stage.triangles.vertices[order].reshape(-1, 3, 3)
    low = np.minimum.reduceat(corners.min(axis=1), first)
    high = np.maximum.reduceat(corners.max(axis=1), first)
    for number, start, end, a, b in zip(objects[order[first]], first, [*first[1:], len(order)], low, high, strict=True):
        label = commonest(stage.triangles.label[order[start:end]])
        yield thing(int(number), f"block {number}", label, (a + b) / 2.0, (b - a) / 2.0, 0.0)


def props(scenery: Scenery) -> Iterator[Thing]:
    """The models that were put somewhere."""
    crowd, library = scenery.stage.crowd, scenery.stage.library
    measured: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
    for prop, model in zip(crowd.props, crowd.models, strict=True):
        if prop.model not in measured:
            fine = slice(model.first[0], model.last[0])
            points = library.triangles.vertices[fine].reshape(-1, 3)
            label = commonest(library.triangles.label[fine])
            measured[prop.model] = label, points.min(axis=0), points.max(axis=0)
        label, low, high = measured[prop.model]
        scale = float(np.linalg.norm(prop.matrix[:3, 0]))
        middle = prop.matrix[:3, :3] @ ((low + high) / 2.0) + prop.matrix[:3, 3]
        yaw = math.degrees(math.atan2(prop.matrix[1, 0], prop.matrix[0, 0]))
        yield thing(prop.object, f"{prop.model} {prop.object}", label, middle, (high - low) / 2.0 * scale, yaw)


def thing(number: int, name: str, label: int, middle: np.ndarray, extent: np.ndarray, yaw: float) -> Thing:
    """A thing from arrays."""
    x, y, z = (float(value) for value in middle)
    half_x, half_y, half_z = (float(value) for value in extent)
    return Thing(number, name, label, Transform(x, y, z, yaw=yaw), (half_x, half_y, half_z))


def commonest(labels: np.ndarray) -> int:
    """The label that most triangles have."""
    return int(np.bincount(labels).argmax())
