"""The triangle buffer: the fixed geometry in square chunks, followed by the props placed for the current image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from simulator.drawing.mesh import PAINT, LinearColour, Triangles, empty_triangles
from simulator.drawing.models import LEVELS, ModelLibrary
from simulator.drawing.raster import JIT, LEAF, View

CHUNK_SIZE = 32.0  # metres, side of the chunks into which the fixed geometry is divided
MIN_RADII = (46.0, 20.0, 9.0, 1.6)  # minimum radius in the image, in pixels, for each level of detail, fine to coarse
INITIAL_CAPACITY = 60_000  # triangles reserved for props; grows when needed


@dataclass(frozen=True)
class Prop:
    """A placed model.

    model: name, see `ModelLibrary.model`. matrix: (4, 4) pose. tint: linear colour of its paint. lit: light bits that
    are on. object: number in instance images. signal: id of the traffic light that it shows, -1 if none.
    """

    model: str
    matrix: np.ndarray
    tint: LinearColour = (0.5, 0.5, 0.5)
    lit: int = 0
    object: int = 0
    signal: int = -1


@dataclass(frozen=True)
class Ranges:
    """Triangles first[i] to last[i] (excluded)."""

    first: np.ndarray
    last: np.ndarray


class PropGroup:
    """Props, with the data for placing and culling them as arrays with one row per prop."""

    def __init__(self, props: Sequence[Prop], library: ModelLibrary) -> None:
        self.props = props
        self.models = [library.model(prop.model) for prop in props]
        self.matrix = np.array([prop.matrix for prop in props]).reshape(-1, 4, 4)
        self.tint = np.array([prop.tint for prop in props]).reshape(-1, 3)
        self.object = np.array([prop.object for prop in props], np.int32)
        self.lit = np.array([prop.lit for prop in props], np.int64)
        self.first = np.array([m.first for m in self.models], np.int64).reshape(-1, LEVELS)
        self.last = np.array([m.last for m in self.models], np.int64).reshape(-1, LEVELS)
        local = np.array([m.centre for m in self.models]).reshape(-1, 3)
        self.centre = np.einsum("nij,nj->ni", self.matrix[:, :3, :3], local) + self.matrix[:, :3, 3]
        self.radius = np.array([m.radius for m in self.models]) * np.linalg.norm(self.matrix[:, :3, 0], axis=1)

    def distance(self, position: np.ndarray) -> np.ndarray:
        """Return the distance (n,) in metres from a point to the centre of each prop."""
        return np.linalg.norm(self.centre - position, axis=1)

    def levels(self, distance: np.ndarray, focal: float) -> np.ndarray:
        """Return the level of detail (n,) at a distance (n,) from a camera; -1 for props too small to be visible."""
        pixels = focal * self.radius / np.maximum(distance, 0.5)
        level = np.searchsorted(-np.array(MIN_RADII), -pixels, side="left")
        return np.where(level >= LEVELS, -1, level)


class Stage:
    """All triangles of an image: `num_fixed` fixed ones, then `num_placed` ones of placed props."""

    def __init__(self, fixed: Triangles, props: Sequence[Prop]) -> None:
        self.library = ModelLibrary()
        self.fixed_props = PropGroup(props, self.library)
        order, self.chunk_first, self.chunk_last = cut_into_chunks(fixed)
        fixed = Triangles(*(values[order] for values in fixed))
        self.chunk_centre, self.chunk_radius = bounding_spheres(fixed, self.chunk_first, self.chunk_last)
        self.num_fixed = len(fixed.label)
        self.num_placed = 0
        self._allocate(fixed, INITIAL_CAPACITY)

    def _allocate(self, content: Triangles, capacity: int) -> None:
        """Make room for `capacity` triangles of props; fill the buffer's start with `content`."""
        self.triangles = empty_triangles(self.num_fixed + capacity)
        for whole, part in zip(self.triangles, content, strict=True):
            whole[: len(part)] = part

    def clear(self) -> None:
        """Remove all placed props."""
        self.num_placed = 0

    def place(
        self, group: PropGroup, index: np.ndarray, level: np.ndarray, lit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Place the props `index` (n,) of a group at levels of detail (n,) with light bits (n,).

        Return (first, last) (n,), the ranges of their triangles.
        """
        first, last = group.first[index, level], group.last[index, level]
        end = self.num_fixed + self.num_placed + np.cumsum(last - first)
        start = end - (last - first)
        if len(end) and end[-1] > len(self.triangles.label):
            self._allocate(
                Triangles(*(v[: self.num_fixed + self.num_placed] for v in self.triangles)),
                2 * int(end[-1]) - self.num_fixed,
            )
        place_models(
            self.library.triangles,
            first,
            last,
            group.matrix[index],
            group.tint[index],
            lit,
            group.object[index],
            self.triangles,
            start,
        )
        self.num_placed = int(end[-1]) - self.num_fixed if len(end) else self.num_placed
        return start, end


def cut_into_chunks(triangles: Triangles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (order, first, last): the triangles sorted by the chunk of their centre, and the range of each chunk."""
    centre = triangles.vertices.reshape(-1, 3, 3).mean(axis=1)
    cell = np.floor(centre[:, :2] / CHUNK_SIZE).astype(np.int64)
    key = (cell[:, 1] + 4096) * 8192 + cell[:, 0] + 4096  # both cell numbers are within -4096..4095
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    return order, starts.astype(np.int64), np.append(starts[1:], len(order)).astype(np.int64)


def bounding_spheres(triangles: Triangles, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (centre (n, 3), radius (n,)) of a sphere around the triangles of each range."""
    centre, radius = np.empty((len(first), 3)), np.empty(len(first))
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        points = triangles.vertices[a:b].reshape(-1, 3)
        centre[i] = (points.min(axis=0) + points.max(axis=0)) / 2
        radius[i] = np.linalg.norm(points - centre[i], axis=1).max()
    return centre, radius


def visible(centre: np.ndarray, radius: np.ndarray, view: View, reach: float) -> np.ndarray:
    """Return the indices of the spheres that touch the view frustum within `reach` metres, near ones first."""
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
def place_models(
    source: Triangles,
    first: np.ndarray,
    last: np.ndarray,
    matrices: np.ndarray,
    tints: np.ndarray,
    lit: np.ndarray,
    objects: np.ndarray,
    out: Triangles,
    starts: np.ndarray,
) -> None:
    """Copy triangles first[i] to last[i] (excluded) of `source`, moved by matrices[i], to `out` from starts[i] on.

    tints, lit, objects: see `Prop`. Lamps whose light bits are off do not glow.
    """
    for i in range(len(first)):
        matrix, tint = matrices[i], tints[i]
        scale = 1.0 / np.sqrt(matrix[0, 0] ** 2 + matrix[1, 0] ** 2 + matrix[2, 0] ** 2)
        for t in range(first[i], last[i]):
            to = starts[i] + t - first[i]
            place_triangle(source, t, matrix, scale, tint, out, to)
            lamp = source.lamp[t]
            if lamp != 0 and not lamp & lit[i]:
                out.attributes[to, 19] = 0.0
            out.object[to] = objects[i]


@njit(**LEAF)
def place_triangle(
    source: Triangles, t: int, matrix: np.ndarray, scale: float, tint: np.ndarray, out: Triangles, to: int
) -> None:
    """Copy triangle `t` to entry `to` of `out`, moved and, where it is paint, tinted."""
    for k in range(0, 9, 3):
        x, y, z = source.vertices[t, k], source.vertices[t, k + 1], source.vertices[t, k + 2]
        nx, ny, nz = source.attributes[t, 6 + k], source.attributes[t, 7 + k], source.attributes[t, 8 + k]
        for row in range(3):
            m0, m1, m2 = matrix[row, 0], matrix[row, 1], matrix[row, 2]
            out.vertices[to, k + row] = m0 * x + m1 * y + m2 * z + matrix[row, 3]
            out.attributes[to, 6 + k + row] = (m0 * nx + m1 * ny + m2 * nz) * scale
    for k in range(6):
        out.attributes[to, k] = source.attributes[t, k]
    painted = source.flags[t] & PAINT
    for c in range(3):
        out.attributes[to, 15 + c] = source.attributes[t, 15 + c] * (tint[c] if painted else 1.0)
    out.attributes[to, 18], out.attributes[to, 19] = source.attributes[t, 18], source.attributes[t, 19]
    out.texture[to], out.flags[to], out.label[to] = source.texture[t], source.flags[t], source.label[t]
    out.depth_factor[to] = source.depth_factor[t]
