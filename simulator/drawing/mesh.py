"""Triangle meshes: a builder with the basic shapes of everything in the town.

A triangle a, b, c is seen from its front if cross(b - a, c - a) points towards the viewer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.drawing import textures

# label ids of CARLA 0.9.14 and later
(
    NONE,
    ROAD,
    SIDEWALK,
    BUILDING,
    WALL,
    FENCE,
    POLE,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    VEGETATION,
    TERRAIN,
    SKY,
    PEDESTRIAN,
    RIDER,
    CAR,
    TRUCK,
    BUS,
    TRAIN,
    MOTORCYCLE,
    BICYCLE,
    STATIC,
    DYNAMIC,
    OTHER,
    WATER,
    ROAD_LINE,
    GROUND,
) = range(26)

TWO_SIDED = 1  # seen from both sides
CUTOUT = 2  # the texture's alpha is an outline
NO_SHADOW = 4  # casts no shadow
FOLIAGE = 8  # light passes through
NO_OCCLUSION = 16  # not darkened close to the ground
WINDOWS = 32  # the texture's alpha is glass: it reflects the sky, and some of it is lit at night
PAVED = 64  # flat ground: gets wet, has puddles, is darkened under cars
PAINT = 128  # takes the tint of the prop that it is part of
DISTANT = 256  # fades into the haze like everything at the horizon

# texture coordinates (u, v) of an upright quad whose bottom corners run from right to left for the viewer
UNIT = np.array([(1, 1), (0, 1), (0, 0), (1, 0)], np.float32)

QUAD_TO_TRIANGLES = [0, 1, 2, 0, 2, 3]  # a quad's corners as two triangles
LinearColour = tuple[float, float, float]  # red, green, blue; linear reflectance, 0 to 1 or a little more


@dataclass(frozen=True)
class Look:
    """How a surface looks and what it is.

    label: CARLA label id. colour: factor on the texture. texture: a name in `textures.NAMES`.
    flags: bits, TWO_SIDED to DISTANT. gloss: 0 to 1. glow: emitted light, as a multiple of the colour.
    lamp: light bits that turn the glow on; 0: always on.
    depth_factor: factor on 1 / depth when the nearest surface is chosen; above 1 the surface hides others in its plane.
    """

    label: int
    colour: LinearColour = (1.0, 1.0, 1.0)
    texture: str = "white"
    flags: int = 0
    gloss: float = 0.0
    glow: float = 0.0
    lamp: int = 0
    depth_factor: float = 1.0

    def replace(self, **changes: object) -> Look:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


class Triangles(NamedTuple):
    """A list of n triangles.

    vertices (n, 9): x, y, z of three corners. attributes (n, 20): 0-5 texture u, v of three corners, 6-14 their
    normals, 15-17 colour, 18 gloss, 19 glow. texture (n,): index in `textures.NAMES`.
    flags, label, lamp, depth_factor (n,): see `Look`. object (n,): number in instance images.
    """

    vertices: np.ndarray
    attributes: np.ndarray
    texture: np.ndarray
    flags: np.ndarray
    label: np.ndarray
    lamp: np.ndarray
    depth_factor: np.ndarray
    object: np.ndarray


TYPES = Triangles(*(np.dtype(t) for t in ("f4", "f4", "i2", "i4", "u1", "u2", "f4", "i4")))


def empty_triangles(count: int) -> Triangles:
    """Allocate `count` triangles, values undefined."""
    shapes = [(count, 9), (count, 20)] + [(count,)] * 6
    return Triangles(*(np.empty(shape, kind) for shape, kind in zip(shapes, TYPES, strict=True)))


def concatenate(parts: Iterable[Triangles]) -> Triangles:
    """Join the triangles of all `parts`."""
    parts = list(parts)
    return Triangles(*(np.ascontiguousarray(np.concatenate(field)) for field in zip(*parts, strict=True)))


def placed(triangles: Triangles, matrix: np.ndarray) -> Triangles:
    """Return a copy moved by a (4, 4) matrix without shear."""
    turn = matrix[:3, :3].astype(np.float32)
    vertices = triangles.vertices.reshape(-1, 3) @ turn.T + matrix[:3, 3].astype(np.float32)
    attributes = triangles.attributes.copy()
    attributes[:, 6:15] = (attributes[:, 6:15].reshape(-1, 3) @ turn.T).reshape(-1, 9)
    return triangles._replace(vertices=vertices.reshape(-1, 9).astype(np.float32), attributes=attributes)


def pose_matrix(x: float, y: float, z: float = 0.0, yaw: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Return the matrix (4, 4) of an upright object; yaw in degrees from x towards y."""
    cos, sin = np.cos(np.radians(yaw)) * scale, np.sin(np.radians(yaw)) * scale
    return np.array([[cos, -sin, 0, x], [sin, cos, 0, y], [0, 0, scale, z], [0, 0, 0, 1.0]])


class Part(NamedTuple):
    """A shape in a mesh; see `Mesh.triangles`."""

    corners: np.ndarray
    look: Look
    uv: np.ndarray
    normals: np.ndarray | None
    colours: np.ndarray | None


class Mesh:
    """Collects shapes; `build` returns the triangles. `detail` scales how many segments round shapes have."""

    def __init__(self, detail: float = 1.0) -> None:
        self.detail = detail
        self.parts: list[Part] = []

    def segments(self, count: int, minimum: int = 3) -> int:
        """Return `count` scaled by the level of detail."""
        return max(minimum, round(count * self.detail))

    def build(self) -> Triangles:
        """Return the triangles of all shapes added so far."""
        counts = np.array([len(part.corners) for part in self.parts], int)
        out = empty_triangles(int(counts.sum()))
        if not self.parts:
            return out
        corners = np.concatenate([part.corners for part in self.parts])
        normals = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        out.vertices[:] = corners.reshape(-1, 9)
        out.attributes[:, 6:15] = np.tile(normals, 3)
        looks = [part.look for part in self.parts]
        values = [
            (*k.colour, k.gloss, k.glow, textures.INDEX[k.texture], k.flags, k.label, k.lamp, k.depth_factor)
            for k in looks
        ]
        table = np.repeat(np.array(values), counts, axis=0)
        out.attributes[:, 15:] = table[:, :5]
        for column, field in enumerate((out.texture, out.flags, out.label, out.lamp, out.depth_factor), start=5):
            field[:] = table[:, column]
        out.object[:] = 0
        end = 0
        for part, count in zip(self.parts, counts, strict=True):
            start, end = end, end + count
            out.attributes[start:end, :6].reshape(count, 3, 2)[:] = part.uv
            if part.normals is not None:
                out.attributes[start:end, 6:15] = part.normals.reshape(count, 9)
            if part.colours is not None:
                out.attributes[start:end, 15:18] = part.colours
        return out

    def triangles(
        self,
        corners: np.ndarray,
        look: Look,
        uv: np.ndarray = UNIT[:3],
        normals: np.ndarray | None = None,
        colours: np.ndarray | None = None,
    ) -> None:
        """Add triangles (n, 3, 3).

        uv: (n, 3, 2) or (3, 2). normals: (n, 3, 3), those of the planes if None.
        colours: (n, 3), in place of the colour of the look.
        """
        self.parts.append(Part(np.asarray(corners, np.float32).reshape(-1, 3, 3), look, uv, normals, colours))

    def quads(
        self,
        corners: np.ndarray,
        look: Look,
        uv: np.ndarray = UNIT,
        normals: np.ndarray | None = None,
        colours: np.ndarray | None = None,
    ) -> None:
        """Add quads (n, 4, 3), corners in order. uv: (n, 4, 2) or (4, 2). normals: (n, 4, 3). colours: (n, 3)."""
        corners = np.asarray(corners, np.float32).reshape(-1, 4, 3)
        uv = np.asarray(uv, np.float32)
        if uv.ndim == 2:
            uv = np.tile(uv[QUAD_TO_TRIANGLES].reshape(2, 3, 2), (len(corners), 1, 1))
        else:
            uv = uv[:, QUAD_TO_TRIANGLES].reshape(-1, 3, 2)
        normals = None if normals is None else normals[:, QUAD_TO_TRIANGLES]
        colours = None if colours is None else np.repeat(colours, 2, axis=0)
        self.triangles(corners[:, QUAD_TO_TRIANGLES], look, uv, normals, colours)

    def grid(
        self,
        points: np.ndarray,
        look: Look,
        where: np.ndarray | None = None,
        uv: np.ndarray | None = None,
        normals: np.ndarray | None = None,
    ) -> None:
        """Add a smooth surface through points (rows, columns, 3). where (rows - 1, columns - 1): the cells to keep.

        Its front is the side of cross(step to the next column, step to the next row). uv: (rows, columns, 2).
        """
        points = np.asarray(points, float)
        if normals is None:
            normals = grid_normals(points)
        if uv is None:
            v, u = np.meshgrid(*(np.linspace(0, 1, n) for n in points.shape[:2]), indexing="ij")
            uv = np.stack([u, v], axis=-1)
        cells = np.ones((len(points) - 1, points.shape[1] - 1), bool) if where is None else where

        def corner(values: np.ndarray) -> np.ndarray:
            around = (values[:-1, :-1], values[:-1, 1:], values[1:, 1:], values[1:, :-1])
            return np.stack(around, axis=2)[cells]

        self.quads(corner(points), look, corner(uv), corner(normals))

    def box(
        self,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        look: Look,
        scale: float = 1.0,
        top: Look | None = None,
        bottom: bool = False,
    ) -> None:
        """Add an upright box between two corners.

        scale: texture repeats per metre. top: look of the top face, `look` if None. bottom: whether it has a bottom
        face.
        """
        (x0, y0, z0), (x1, y1, z1) = low, high
        ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        sides = [[(*a, z0), (*b, z0), (*b, z1), (*a, z1)] for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
        spans = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
        uv = UNIT[None] * np.stack([spans, np.full(4, z1 - z0)], axis=1)[:, None] * scale
        self.quads(sides, look, uv)
        flat = np.array(ring) * scale
        self.quads([[(*p, z1) for p in ring]], top or look, flat)
        if bottom:
            self.quads([[(*p, z0) for p in ring[::-1]]], look, flat[::-1])

    def tube(
        self,
        start: Iterable[float],
        end: Iterable[float],
        radius: float,
        end_radius: float | None,
        look: Look,
        sides: int = 8,
        caps: bool = True,
        repeat: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Add a round bar.

        end_radius: `radius` if None. sides: segments around it at full detail. caps: whether its ends are closed.
        repeat: texture repeats around it, and per metre along it.
        """
        start, end = np.asarray(start, float), np.asarray(end, float)
        end_radius = radius if end_radius is None else end_radius
        sides, length = self.segments(sides), float(np.linalg.norm(end - start))
        across, other = perpendicular((end - start) / length)
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        spoke = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * other
        rings = np.stack([start + radius * spoke, end + end_radius * spoke])
        u = np.broadcast_to(np.linspace(0, repeat[0], sides + 1), (2, sides + 1))
        v = np.repeat([[0.0], [length * repeat[1]]], sides + 1, axis=1)
        self.grid(rings, look, uv=np.stack([u, v], axis=-1), normals=np.stack([spoke, spoke]))
        if caps:
            hub = np.broadcast_to(end, (sides, 3))
            self.triangles(np.stack([hub, rings[1, :-1], rings[1, 1:]], axis=1), look)
            hub = np.broadcast_to(start, (sides, 3))
            self.triangles(np.stack([hub, rings[0, 1:], rings[0, :-1]], axis=1), look)

    def path(self, points: Iterable[Iterable[float]], radius: float, look: Look, sides: int = 6) -> None:
        """Add round bars from each point to the next. sides: see `tube`."""
        points = [np.asarray(p, float) for p in points]
        for a, b in pairwise(points):
            self.tube(a, b, radius, radius, look, sides)

    def ball(
        self,
        centre: Iterable[float],
        radii: float | Iterable[float],
        look: Look,
        sides: int = 8,
        rings: int = 6,
    ) -> None:
        """Add an ellipsoid.

        sides, rings: segments around the z axis, and from its lowest to its highest point, at full detail.
        """
        sides, rings = self.segments(sides, 4), self.segments(rings, 3)
        radii = np.broadcast_to(np.asarray(radii, float), 3)
        angle, height = np.linspace(0, 2 * np.pi, sides + 1), np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
        flat = np.cos(height)[:, None]
        unit = np.stack(
            [flat * np.cos(angle), flat * np.sin(angle), np.repeat(np.sin(height)[:, None], sides + 1, 1)],
            axis=-1,
        )
        normals = unit / radii
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        self.grid(np.asarray(centre, float) + unit * radii, look, normals=normals)

    def strip(
        self,
        left: np.ndarray,
        right: np.ndarray,
        look: Look,
        scale: float = 1.0,
        along: np.ndarray | None = None,
    ) -> None:
        """Add a band between two lines (n, 3), its front up.

        Texture: u across and v along, in metres times scale. along (n,): metres along the band at each pair of
        points; measured along its middle if None.
        """
        left, right = np.asarray(left, float), np.asarray(right, float)
        if along is None:
            middle = (left + right) / 2
            along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])
        width = np.linalg.norm(right - left, axis=1)
        uv = np.stack([np.stack([np.zeros_like(width), along], -1), np.stack([width, along], -1)], axis=1) * scale
        corners = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
        flat = np.stack([uv[:-1, 0], uv[1:, 0], uv[1:, 1], uv[:-1, 1]], axis=1)
        up = cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])[:, 2]
        if np.sum(up) < 0 and abs(np.sum(up)) > 1e-9:
            corners, flat = corners[:, ::-1], flat[:, ::-1]
        self.quads(corners, look, flat)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return cross products of vectors (..., 3); several times as fast as np.cross on short arrays."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def perpendicular(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two unit vectors perpendicular to a unit axis, so that cross(first, second) = axis."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    first = cross(helper, axis)
    first /= np.linalg.norm(first)
    return first, cross(axis, first)


def grid_normals(points: np.ndarray) -> np.ndarray:
    """Return unit normals (rows, columns, 3) of a grid, which is closed if its first and last columns agree."""
    closed = np.allclose(points[:, 0], points[:, -1])
    padded = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1) if closed else points
    along = np.gradient(padded, axis=1)
    along = along[:, 1:-1] if closed else along
    normals = cross(along, np.gradient(points, axis=0))
    return normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12)
