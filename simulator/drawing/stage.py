"""The town as triangles in memory: what never moves, cut into squares, and room for what is placed per picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from simulator.drawing.mesh import PAINT, Triangles, empty_triangles
from simulator.drawing.models import Model, model
from simulator.drawing.raster import JIT, View

SQUARE = 32.0  # metres, side of the squares into which the ground and the houses are cut
PIXELS_FINE, PIXELS_MIDDLE, PIXELS_LEAST = 46.0, 18.0, 1.5  # a model's radius in the picture, by level of detail
ROOM = 60_000  # triangles, at first


@dataclass(frozen=True)
class Prop:
    """A model put somewhere. matrix (4, 4); tint: linear colour of its paint; lit: its light bits;
    object: number in instance pictures; signal: id of the traffic light that it shows, -1 if none."""

    model: str
    matrix: np.ndarray
    tint: tuple[float, float, float] = (0.5, 0.5, 0.5)
    lit: int = 0
    object: int = 0
    signal: int = -1


@dataclass(frozen=True)
class Ranges:
    """Triangles first[i] to last[i] (excluded), near ones first."""

    first: np.ndarray
    last: np.ndarray


@dataclass
class Stage:
    """All triangles: the fixed ones, then `used` of the room behind them."""

    fixed: Triangles
    props: Sequence[Prop]
    triangles: Triangles = field(init=False)
    used: int = 0

    def __post_init__(self) -> None:
        order, self.chunk_first, self.chunk_last = cut_into_squares(self.fixed)
        self.fixed = Triangles(*(np.ascontiguousarray(values[order]) for values in self.fixed))
        self.count = len(self.fixed.label)
        self.chunk_centre, self.chunk_radius = balls(self.fixed, self.chunk_first, self.chunk_last)
        self.reserve(ROOM)
        self.models = [model(prop.model) for prop in self.props]
        scale = np.array([np.linalg.norm(prop.matrix[:3, 0]) for prop in self.props])
        self.prop_centre = np.array(
            [p.matrix[:3, :3] @ m.centre + p.matrix[:3, 3] for p, m in zip(self.props, self.models, strict=True)]
        ).reshape(-1, 3)
        self.prop_radius = np.array([m.radius for m in self.models]) * scale

    def reserve(self, room: int) -> None:
        """Makes room behind the fixed triangles; what was placed there is lost."""
        self.room = room
        self.triangles = empty_triangles(self.count + room)
        for whole, part in zip(self.triangles, self.fixed, strict=True):
            whole[: self.count] = part
        self.fixed = Triangles(*(values[: self.count] for values in self.triangles))

    def clear(self) -> None:
        """Takes away what was placed."""
        self.used = 0

    def place(self, thing: Model, level: int, prop: Prop, lit: int) -> tuple[int, int]:
        """Places a model; returns its first triangle and the one after its last. IndexError if it is full."""
        source = thing.levels[level]
        start, size = self.count + self.used, len(source.label)
        if self.used + size > self.room:
            raise IndexError("no room left")
        place_model(source, prop.matrix, np.array(prop.tint), lit, prop.object, self.triangles, start)
        self.used += size
        return start, start + size

    def in_view(self, view: View, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """(squares, props): indices of those that may be in the picture, near ones first."""
        squares = visible(self.chunk_centre, self.chunk_radius, view, reach)
        props = visible(self.prop_centre, self.prop_radius, view, reach)
        return squares, props[self.pixels(props, view) > PIXELS_LEAST]

    def pixels(self, props: np.ndarray, view: View) -> np.ndarray:
        """Radius in the picture of props (n,)."""
        distance = np.linalg.norm(self.prop_centre[props] - view.position, axis=1)
        return view.focal * self.prop_radius[props] / np.maximum(distance, 0.5)


def level_for(pixels: float) -> int:
    """Level of detail for a radius in the picture."""
    return 0 if pixels > PIXELS_FINE else 1 if pixels > PIXELS_MIDDLE else 2


def cut_into_squares(triangles: Triangles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(order, first, last): triangles sorted by the square of the ground in which their middle lies."""
    middle = triangles.vertices.reshape(-1, 3, 3).mean(axis=1)
    cell = np.floor(middle[:, :2] / SQUARE).astype(np.int64)
    key = (cell[:, 1] + 4096) * 8192 + cell[:, 0] + 4096
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    return order, starts.astype(np.int64), np.append(starts[1:], len(order)).astype(np.int64)


def balls(triangles: Triangles, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(centre (n, 3), radius (n,)) round the triangles of each range."""
    centre, radius = np.empty((len(first), 3)), np.empty(len(first))
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        points = triangles.vertices[a:b].reshape(-1, 3)
        centre[i] = (points.min(axis=0) + points.max(axis=0)) / 2
        radius[i] = np.linalg.norm(points - centre[i], axis=1).max()
    return centre, radius


def visible(centre: np.ndarray, radius: np.ndarray, view: View, reach: float) -> np.ndarray:
    """Indices of the balls that touch the camera's pyramid within `reach` metres, near ones first."""
    if not len(centre):
        return np.empty(0, np.int64)
    local = (centre - view.position) @ view.rows.T
    across, up, ahead = local.T
    distance = np.linalg.norm(local, axis=1)
    keep = (ahead > -radius) & (distance - radius < reach)
    for offset, half in ((across, view.centre_x), (up, view.centre_y)):
        slope = half / view.focal
        keep &= np.abs(offset) - ahead * slope < radius * np.hypot(1.0, slope)
    index = np.flatnonzero(keep)
    return index[np.argsort((distance - 0.8 * radius)[index], kind="stable")]


@njit(**JIT)
def place_model(
    source: Triangles, matrix: np.ndarray, tint: np.ndarray, lit: int, thing: int, out: Triangles, start: int
) -> None:
    """Copies a model's triangles, moved by matrix (4, 4), to `out` from entry `start` on."""
    scale = 1.0 / np.sqrt(matrix[0, 0] ** 2 + matrix[1, 0] ** 2 + matrix[2, 0] ** 2)
    for t in range(len(source.label)):
        to = start + t
        attributes, given, vertices, moved = (
            out.attributes[to], source.attributes[t], source.vertices[t], out.vertices[to],
        )  # fmt: skip
        for k in range(0, 9, 3):
            x, y, z = vertices[k], vertices[k + 1], vertices[k + 2]
            nx, ny, nz = given[6 + k], given[7 + k], given[8 + k]
            for row in range(3):
                m0, m1, m2 = matrix[row, 0], matrix[row, 1], matrix[row, 2]
                moved[k + row] = m0 * x + m1 * y + m2 * z + matrix[row, 3]
                attributes[6 + k + row] = (m0 * nx + m1 * ny + m2 * nz) * scale
        attributes[:6] = given[:6]
        painted = source.flags[t] & PAINT
        for c in range(3):
            attributes[15 + c] = given[15 + c] * (tint[c] if painted else 1.0)
        attributes[18] = given[18]
        lamp = source.lamp[t]
        attributes[19] = given[19] if lamp == 0 or lamp & lit else 0.0
        out.texture[to], out.flags[to], out.label[to] = source.texture[t], source.flags[t], source.label[t]
        out.lift[to], out.object[to] = source.lift[t], thing
