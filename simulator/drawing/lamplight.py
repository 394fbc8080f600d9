"""Light at night: street lamps, headlights, windows."""

from __future__ import annotations

from math import floor, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from simulator.drawing.raster import LEAF

LAMP_COLOUR = (1.0, 0.72, 0.42)
BEAM_COLOUR = (1.0, 0.94, 0.82)
WINDOW_COLOUR = (1.0, 0.70, 0.36)


class Lamps(NamedTuple):
    """Street lamps.

    heads (n, 3): positions. cells (rows, columns, 4): indices of the lamps nearest to each square of the ground, filled
    up with -1. corner (2,): of the first square. cell: side of a square in metres.
    """

    heads: np.ndarray
    cells: np.ndarray
    corner: np.ndarray
    cell: float


@njit(**LEAF)
def lamplight(x: float, y: float, z: float, nx: float, ny: float, nz: float, lamps: Lamps) -> float:
    """Return the light of the nearest street lamps on a surface at (x, y, z) with the normal (nx, ny, nz)."""
    column = floor((x - lamps.corner[0]) / lamps.cell)
    row = floor((y - lamps.corner[1]) / lamps.cell)
    if row < 0 or column < 0 or row >= lamps.cells.shape[0] or column >= lamps.cells.shape[1]:
        return 0.0
    total = 0.0
    for k in range(4):
        lamp = lamps.cells[row, column, k]
        if lamp < 0:
            break
        dx, dy, dz = lamps.heads[lamp, 0] - x, lamps.heads[lamp, 1] - y, lamps.heads[lamp, 2] - z
        square = dx * dx + dy * dy + dz * dz + 0.3
        near = 1.0 / sqrt(square)
        facing = max((nx * dx + ny * dy + nz * dz) * near * 0.8 + 0.2, 0.0)
        cone = min(max(dz * near * 1.7 - 0.12, 0.0), 1.0)
        total += facing * cone / square
    return total * 7.0


@njit(**LEAF)
def headlight(x: float, y: float, z: float, nx: float, ny: float, nz: float, headlights: np.ndarray) -> float:
    """Return the light of the vehicles' low beams on a surface. headlights (n, 6): position and direction."""
    total = 0.0
    for k in range(len(headlights)):
        dx, dy, dz = x - headlights[k, 0], y - headlights[k, 1], z - headlights[k, 2]
        ahead = dx * headlights[k, 3] + dy * headlights[k, 4] + dz * headlights[k, 5]
        square = dx * dx + dy * dy + dz * dz + 1.0
        if ahead <= 0.0 or square > 3600.0:
            continue
        near = 1.0 / sqrt(square)
        cone = min(max((ahead * near - 0.80) * 6.0, 0.0), 1.0)
        facing = max(-(nx * dx + ny * dy + nz * dz) * near, 0.0) * 0.8 + 0.2 * max(
            -nx * headlights[k, 3] - ny * headlights[k, 4], 0.0
        )
        total += cone * cone * (facing + 0.06) / square
    return total * 26.0


@njit(**LEAF)
def lit_window(u: float, v: float, object_number: int) -> float:
    """Return how bright an object's window at texture coordinates (u, v) is at night; 0 for most windows.

    It is a hash of the window, that is, of bay (u), storey (v) and object.
    """
    seed = (floor(u * 4) * 73856093) ^ (floor(v * 4) * 19349663) ^ (object_number * 83492791)
    seed = (seed ^ (seed >> 13)) * 1274126177 & 0x7FFFFFFF
    fraction = (seed >> 8 & 1023) / 1023.0
    return 0.0 if fraction > 0.36 else 0.25 + 2.0 * fraction
