"""Visibility: the triangle nearest to the camera in each sample of an image, and the surfaces nearest to the sun.

Edges are set up in homogeneous pixel coordinates (Olano and Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997). No triangle has to be clipped, and the same 3 x 3 matrix yields
perspective-correct barycentric coordinates at any sample.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import ceil, floor, log2
from typing import NamedTuple

import numpy as np
from numba import njit

from simulator.drawing.mesh import CUTOUT, NO_SHADOW, TWO_SIDED, Triangles

NEAR = 0.12  # metres from the camera to the near plane
NO_TRIANGLE = -1
# Numba caches a compiled kernel in __pycache__ and invalidates it only if that kernel's own file changes. Remove
# the folder after changing a kernel that kernels in other files call.
JIT = {"cache": True, "fastmath": True, "error_model": "numpy", "nogil": True}
LEAF = {**JIT, "_nrt": False}  # for kernels that allocate nothing: faster without reference counting
TEXTURE_SIZE = 512
LAST_LEVEL = 7  # the coarsest mip level
SHADOW_LEVEL = 3  # mip level at which a cut-out's alpha is read for its shadow


class View(NamedTuple):
    """A camera. rows (3, 3): right, up and forward in the world; position (3,); focal length and centre in pixels."""

    rows: np.ndarray
    position: np.ndarray
    focal: float
    centre_x: float
    centre_y: float
    width: int
    height: int


class Projected(NamedTuple):
    """Triangles projected into an image, one entry each.

    edges (n, 9): numerators of the barycentric coordinates as linear functions of the pixel position.
    box (n, 4): first and last column, first and last row of samples. triangle (n,): index of the triangle.
    level (n,): mip level at which a cut-out's alpha is read.
    """

    edges: np.ndarray
    box: np.ndarray
    triangle: np.ndarray
    level: np.ndarray


def run_in_bands(
    pool: ThreadPoolExecutor, bands: int, rows: int, kernel: Callable[..., None], *arguments: object
) -> None:
    """Run a kernel on bands of rows in parallel; its last two arguments are a band's first row and end row."""
    edges = np.linspace(0, rows, bands + 1).astype(int)
    jobs = [pool.submit(kernel, *arguments, int(a), int(b)) for a, b in pairwise(edges)]
    for job in jobs:
        job.result()


@njit(**JIT)
def set_up_triangles(
    triangles: Triangles,
    first: np.ndarray,
    last: np.ndarray,
    view: View,
    samples: int,
    start: int,
    projected: Projected,
) -> int:
    """Project triangles first[i] to last[i] (excluded) into entries of `projected` from `start` on; return the end.

    samples: per pixel side. Triangles are culled if they are behind the camera, outside the image, back-facing
    or so small that they cover no sample.
    """
    px, py, pz = np.empty(3), np.empty(3), np.empty(3)
    front = handedness(view.rows)
    entry = start
    for part in range(len(first)):
        for t in range(first[part], last[part]):
            inside = project_corners(triangles.vertices[t], view, px, py, pz)
            if inside == 0:
                continue
            determinant = (
                px[0] * (py[1] * pz[2] - py[2] * pz[1])
                + py[0] * (px[2] * pz[1] - px[1] * pz[2])
                + pz[0] * (px[1] * py[2] - px[2] * py[1])
            )
            if determinant == 0.0 or (determinant * front < 0.0 and not triangles.flags[t] & TWO_SIDED):
                continue
            x0, x1, y0, y1 = bounds(px, py, pz, inside)
            if x1 < 0 or y1 < 0 or x0 > view.width or y0 > view.height:
                continue
            left, right, top, bottom = sample_box(x0, x1, y0, y1, samples, view)
            if left > right or top > bottom:
                continue
            box = projected.box[entry]
            box[0], box[1], box[2], box[3] = left, right, top, bottom
            fill_edges(projected.edges[entry], px, py, pz, 1.0 / determinant)
            projected.triangle[entry] = t
            projected.level[entry] = cutout_level(triangles, t, x1 - x0, y1 - y0)
            entry += 1
    return entry


@njit(inline="always", **JIT)
def handedness(rows: np.ndarray) -> float:
    """Return the determinant of a view's rows: its sign is that of the determinant of every front-facing triangle.

    A mirrored view (see `renderer.mirror_view`) flips it.
    """
    return (
        rows[2, 0] * (rows[0, 1] * rows[1, 2] - rows[0, 2] * rows[1, 1])
        + rows[2, 1] * (rows[0, 2] * rows[1, 0] - rows[0, 0] * rows[1, 2])
        + rows[2, 2] * (rows[0, 0] * rows[1, 1] - rows[0, 1] * rows[1, 0])
    )


@njit(inline="always", **JIT)
def project_corners(vertices: np.ndarray, view: View, px: np.ndarray, py: np.ndarray, pz: np.ndarray) -> int:
    """Fill px, py, pz (3,) with a triangle's homogeneous corners in pixels; return how many are past the near plane."""
    rows, position = view.rows, view.position
    inside = 0
    for k in range(3):
        dx = vertices[3 * k] - position[0]
        dy = vertices[3 * k + 1] - position[1]
        dz = vertices[3 * k + 2] - position[2]
        z = rows[2, 0] * dx + rows[2, 1] * dy + rows[2, 2] * dz
        px[k] = view.focal * (rows[0, 0] * dx + rows[0, 1] * dy + rows[0, 2] * dz) + view.centre_x * z
        py[k] = view.centre_y * z - view.focal * (rows[1, 0] * dx + rows[1, 1] * dy + rows[1, 2] * dz)
        pz[k] = z
        if z > NEAR:
            inside += 1
    return inside


@njit(inline="always", **JIT)
def sample_box(x0: float, x1: float, y0: float, y1: float, samples: int, view: View) -> tuple[int, int, int, int]:
    """Return the first and last column and row of the samples within bounds in pixels; first > last if none."""
    left, top = max(0.0, ceil(x0 * samples - 0.5)), max(0.0, ceil(y0 * samples - 0.5))
    right = min(view.width * samples - 1.0, floor(x1 * samples - 0.5))
    bottom = min(view.height * samples - 1.0, floor(y1 * samples - 0.5))
    return int(left), int(right), int(top), int(bottom)


@njit(inline="always", **JIT)
def fill_edges(edges: np.ndarray, px: np.ndarray, py: np.ndarray, pz: np.ndarray, scale: float) -> None:
    """Fill edges (9,) with the inverse of the matrix of a triangle's homogeneous corners; scale: 1 / determinant."""
    edges[0] = (py[1] * pz[2] - py[2] * pz[1]) * scale
    edges[1] = (px[2] * pz[1] - px[1] * pz[2]) * scale
    edges[2] = (px[1] * py[2] - px[2] * py[1]) * scale
    edges[3] = (py[2] * pz[0] - py[0] * pz[2]) * scale
    edges[4] = (px[0] * pz[2] - px[2] * pz[0]) * scale
    edges[5] = (px[2] * py[0] - px[0] * py[2]) * scale
    edges[6] = (py[0] * pz[1] - py[1] * pz[0]) * scale
    edges[7] = (px[1] * pz[0] - px[0] * pz[1]) * scale
    edges[8] = (px[0] * py[1] - px[1] * py[0]) * scale


@njit(inline="always", **JIT)
def bounds(px: np.ndarray, py: np.ndarray, pz: np.ndarray, inside: int) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom, in pixels, of the part of a triangle in front of the near plane.

    px, py, pz (3,): its homogeneous corners. inside: how many of them are in front of the near plane.
    """
    x0, x1, y0, y1 = 1e9, -1e9, 1e9, -1e9
    for k in range(3):
        if pz[k] > NEAR:
            x, y = px[k] / pz[k], py[k] / pz[k]
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
        j = (k + 1) % 3
        if inside < 3 and (pz[k] > NEAR) != (pz[j] > NEAR):
            s = (NEAR - pz[k]) / (pz[j] - pz[k])
            x, y = (px[k] + s * (px[j] - px[k])) / NEAR, (py[k] + s * (py[j] - py[k])) / NEAR
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    return x0, x1, y0, y1


@njit(inline="always", **JIT)
def cutout_level(triangles: Triangles, t: int, width: float, height: float) -> int:
    """Return the mip level at which a cut-out's alpha is read. width, height: of the triangle, in pixels."""
    if not triangles.flags[t] & CUTOUT:
        return 0
    uv = triangles.attributes[t]
    span_u = max(uv[0], uv[2], uv[4]) - min(uv[0], uv[2], uv[4])
    span_v = max(uv[1], uv[3], uv[5]) - min(uv[1], uv[3], uv[5])
    ratio = min(span_u / max(width, 1.0), span_v / max(height, 1.0)) * TEXTURE_SIZE
    return 0 if ratio <= 1.4 else min(int(log2(ratio)), LAST_LEVEL - 2)


@njit(inline="always", **JIT)
def is_opaque(texels: np.ndarray, offsets: np.ndarray, texture: int, level: int, u: float, v: float) -> bool:
    """Return whether a cut-out's texture covers (u, v)."""
    size = TEXTURE_SIZE >> level
    x, y = floor(u * size) & (size - 1), floor(v * size) & (size - 1)
    return texels[texture, offsets[level] + y * size + x, 3] >= 110


@njit(inline="always", **JIT)
def span(edges: np.ndarray, y: float, step: float, low: float, high: float) -> tuple[float, float]:
    """Return the first and last sample of a row inside all three edges, both fractional; last < 0 if there is none.

    y: of the row, in pixels. step: pixels per sample. low, high: the first and last sample of the triangle's box.
    """
    for k in range(3):
        a = edges[3 * k] * step
        c = edges[3 * k + 1] * y + edges[3 * k + 2] + 0.5 * a
        if a > 0.0:
            low = max(low, -c / a)
        elif a < 0.0:
            high = min(high, -c / a)
        elif c < 0.0:
            high = -1.0
    return low, high


@njit(**JIT)
def rasterise(
    triangles: Triangles,
    projected: Projected,
    runs: np.ndarray,
    texels: np.ndarray,
    offsets: np.ndarray,
    samples: int,
    nearest: np.ndarray,
    depth: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fill rows row0 to row1 (excluded) of nearest (rows, columns) int32 with entries of `projected` or NO_TRIANGLE.

    runs (n, 2): start and end (excluded) of the entries in use. texels, offsets: see `textures.Textures`. samples: per
    pixel side. depth (rows, columns) receives 1 / z of the nearest triangle, times its depth factor.
    """
    step = 1.0 / samples
    nearest[row0:row1] = NO_TRIANGLE
    depth[row0:row1] = 0.0
    for run in range(len(runs)):
        for entry in range(runs[run, 0], runs[run, 1]):
            top, bottom = max(row0, projected.box[entry, 2]), min(row1 - 1, projected.box[entry, 3])
            if top <= bottom:
                rasterise_triangle(triangles, projected, entry, texels, offsets, step, nearest, depth, top, bottom)


@njit(**LEAF)
def rasterise_triangle(
    triangles: Triangles,
    projected: Projected,
    entry: int,
    texels: np.ndarray,
    offsets: np.ndarray,
    step: float,
    nearest: np.ndarray,
    depth: np.ndarray,
    top: int,
    bottom: int,
) -> None:
    """Draw one entry of `projected` into rows top to bottom (included) where it is nearest; step: pixels per sample."""
    edges, t = projected.edges[entry], projected.triangle[entry]
    # 1 / z is the sum of the three numerators, again a linear function of the pixel position
    za, zb, zc = edges[0] + edges[3] + edges[6], edges[1] + edges[4] + edges[7], edges[2] + edges[5] + edges[8]
    depth_factor, cut, uv = triangles.depth_factor[t], triangles.flags[t] & CUTOUT, triangles.attributes[t]
    texture, level = triangles.texture[t], projected.level[entry]
    left, right = float(projected.box[entry, 0]), float(projected.box[entry, 1])
    for row in range(top, bottom + 1):
        y = (row + 0.5) * step
        low, high = span(edges, y, step, left, right)
        begin = int(low) + (int(low) < low)
        base = zb * y + zc
        for column in range(begin, int(high) + 1 if high >= 0.0 else 0):
            x = (column + 0.5) * step
            inverse_depth = za * x + base
            if inverse_depth <= 0.0 or inverse_depth > 1.0 / NEAR or inverse_depth * depth_factor <= depth[row, column]:
                continue
            if cut:
                z = 1.0 / inverse_depth
                b0 = (edges[0] * x + edges[1] * y + edges[2]) * z
                b1 = (edges[3] * x + edges[4] * y + edges[5]) * z
                b2 = 1.0 - b0 - b1
                u, v = b0 * uv[0] + b1 * uv[2] + b2 * uv[4], b0 * uv[1] + b1 * uv[3] + b2 * uv[5]
                if not is_opaque(texels, offsets, texture, level, u, v):
                    continue
            depth[row, column] = inverse_depth * depth_factor
            nearest[row, column] = entry


@njit(**JIT)
def cast_shadows(
    triangles: Triangles,
    first: np.ndarray,
    last: np.ndarray,
    axes: np.ndarray,
    corner: np.ndarray,
    scale: float,
    texels: np.ndarray,
    offsets: np.ndarray,
    distance: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Lower rows row0 to row1 (excluded) of distance (n, n) to the depth of the first triangle along the light.

    axes (3, 3): right, up and direction of the light. corner (2,): position of the first texel along the first
    two axes. scale: texels per metre. texels, offsets: see `textures.Textures`.
    """
    size = len(distance)
    p, vertices = np.empty((3, 3)), triangles.vertices
    for part in range(len(first)):
        for t in range(first[part], last[part]):
            if triangles.flags[t] & NO_SHADOW:
                continue
            for k in range(3):
                x, y, z = vertices[t, 3 * k], vertices[t, 3 * k + 1], vertices[t, 3 * k + 2]
                p[k, 0] = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z - corner[0]) * scale
                p[k, 1] = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z - corner[1]) * scale
                p[k, 2] = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
            top, bottom = min(p[0, 1], p[1, 1], p[2, 1]), max(p[0, 1], p[1, 1], p[2, 1])
            left, right = min(p[0, 0], p[1, 0], p[2, 0]), max(p[0, 0], p[1, 0], p[2, 0])
            if bottom < row0 or top >= row1 or right < 0 or left >= size:
                continue
            area = (p[1, 0] - p[0, 0]) * (p[2, 1] - p[0, 1]) - (p[2, 0] - p[0, 0]) * (p[1, 1] - p[0, 1])
            if abs(area) < 1e-9:
                continue
            rasterise_shadow(triangles, t, p, 1.0 / area, texels, offsets, distance, row0, row1)


@njit(**JIT)
def rasterise_shadow(
    triangles: Triangles,
    t: int,
    p: np.ndarray,
    scale: float,
    texels: np.ndarray,
    offsets: np.ndarray,
    distance: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Draw one triangle p (3, 3), in shadow-map coordinates, into `distance`; scale: 1 / (twice its signed area)."""
    edges = np.empty(9)
    edges[3], edges[4] = (p[2, 1] - p[0, 1]) * scale, -(p[2, 0] - p[0, 0]) * scale
    edges[6], edges[7] = -(p[1, 1] - p[0, 1]) * scale, (p[1, 0] - p[0, 0]) * scale
    edges[5] = -(edges[3] * p[0, 0] + edges[4] * p[0, 1])
    edges[8] = -(edges[6] * p[0, 0] + edges[7] * p[0, 1])
    edges[0], edges[1], edges[2] = -(edges[3] + edges[6]), -(edges[4] + edges[7]), 1.0 - edges[5] - edges[8]
    uv, cut, texture = triangles.attributes[t], triangles.flags[t] & CUTOUT, triangles.texture[t]
    left = max(0.0, min(p[0, 0], p[1, 0], p[2, 0]) - 1.0)
    right = min(len(distance) - 1.0, max(p[0, 0], p[1, 0], p[2, 0]) + 1.0)
    top, bottom = min(p[0, 1], p[1, 1], p[2, 1]), max(p[0, 1], p[1, 1], p[2, 1])
    for row in range(max(row0, int(top)), min(row1 - 1, int(bottom)) + 1):
        y = row + 0.5
        low, high = span(edges, y, 1.0, left, right)
        for column in range(int(low) + (int(low) < low), int(high) + 1 if high >= 0.0 else 0):
            x = column + 0.5
            b1 = edges[3] * x + edges[4] * y + edges[5]
            b2 = edges[6] * x + edges[7] * y + edges[8]
            light_depth = p[0, 2] + b1 * (p[1, 2] - p[0, 2]) + b2 * (p[2, 2] - p[0, 2])
            if light_depth >= distance[row, column]:
                continue
            if cut:
                u = uv[0] + b1 * (uv[2] - uv[0]) + b2 * (uv[4] - uv[0])
                v = uv[1] + b1 * (uv[3] - uv[1]) + b2 * (uv[5] - uv[1])
                if not is_opaque(texels, offsets, texture, SHADOW_LEVEL, u, v):
                    continue
            distance[row, column] = light_depth
