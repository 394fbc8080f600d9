"""The static objects of a town (houses, trees, poles, ...) as bounding boxes with a name and CARLA's label."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.drawing.scenery import Scenery
from simulator.geometry import Transform
from simulator.protocol.encodings import Vector, transform_to_wire

ANY_LABEL = 255  # carla.CityObjectLabel.Any


@dataclass(frozen=True)
class EnvironmentObject:
    """A static object. pose: of the centre of its box, rotated about z only; extent: half of the box's sides."""

    id: int
    name: str
    label: int
    pose: Transform
    extent: Vector

    def box_to_wire(self) -> list[Any]:
        """Return the bounding box in the world as it is sent."""
        location, rotation = transform_to_wire(self.pose)
        return [location, list(self.extent), rotation, 0]

    def to_wire(self) -> list[Any]:
        """Return `[transform, box, id, name, label]`, CARLA's EnvironmentObject."""
        return [transform_to_wire(self.pose), self.box_to_wire(), self.id, self.name, self.label]


def find_environment_objects(scenery: Scenery) -> list[EnvironmentObject]:
    """Return all static objects of a town; the ids are those in instance segmentation images."""
    return [*structures(scenery), *props(scenery)]


def structures(scenery: Scenery) -> Iterator[EnvironmentObject]:
    """Yield the objects that are part of the fixed triangles: houses, walls, fences."""
    stage = scenery.stage
    objects = stage.triangles.object[: stage.num_fixed]
    order = np.argsort(objects, kind="stable")
    order = order[objects[order] > 0]
    if len(order) == 0:
        return
    first = np.flatnonzero(np.diff(objects[order], prepend=-1))
    corners = stage.triangles.vertices[order].reshape(-1, 3, 3)
    low = np.minimum.reduceat(corners.min(axis=1), first)
    high = np.maximum.reduceat(corners.max(axis=1), first)
    for number, start, end, a, b in zip(objects[order[first]], first, [*first[1:], len(order)], low, high, strict=True):
        label = most_common(stage.triangles.label[order[start:end]])
        yield make_object(int(number), f"block {number}", label, (a + b) / 2.0, (b - a) / 2.0, 0.0)


def props(scenery: Scenery) -> Iterator[EnvironmentObject]:
    """Yield the objects that are instances of a model: trees, poles, benches."""
    placed, library = scenery.stage.fixed_props, scenery.stage.library
    measured: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
    for prop, model in zip(placed.props, placed.models, strict=True):
        if prop.model not in measured:
            finest = slice(model.first[0], model.last[0])
            points = library.triangles.vertices[finest].reshape(-1, 3)
            label = most_common(library.triangles.label[finest])
            measured[prop.model] = label, points.min(axis=0), points.max(axis=0)
        label, low, high = measured[prop.model]
        scale = float(np.linalg.norm(prop.matrix[:3, 0]))
        centre = prop.matrix[:3, :3] @ ((low + high) / 2.0) + prop.matrix[:3, 3]
        yaw = math.degrees(math.atan2(prop.matrix[1, 0], prop.matrix[0, 0]))
        yield make_object(prop.object, f"{prop.model} {prop.object}", label, centre, (high - low) / 2.0 * scale, yaw)


def make_object(
    object_id: int, name: str, label: int, centre: np.ndarray, extent: np.ndarray, yaw: float
) -> EnvironmentObject:
    """Return an environment object from arrays."""
    x, y, z = (float(value) for value in centre)
    half_x, half_y, half_z = (float(value) for value in extent)
    return EnvironmentObject(object_id, name, label, Transform(x, y, z, yaw=yaw), (half_x, half_y, half_z))


def most_common(labels: np.ndarray) -> int:
    """Return the label that occurs most often."""
    return int(np.argmax(np.bincount(labels)))
