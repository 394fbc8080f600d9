"""Hedges, walls and fences between gardens and sidewalks."""

from __future__ import annotations

import numpy as np

from simulator.drawing.mesh import (
    CUTOUT,
    FENCE,
    TWO_SIDED,
    UNIT,
    VEGETATION,
    WALL,
    Look,
    Mesh,
)
from simulator.drawing.site import Site
from simulator.drawing.street import VERGE_HEIGHT
from simulator.roads.road_network import Road

STONE_WALL = Look(WALL, (0.80, 0.78, 0.74), "stone")
PLASTER_WALL = Look(WALL, (0.72, 0.69, 0.62), "plaster")
HEDGE = Look(VEGETATION, (0.50, 0.56, 0.42), "hedge")
PICKETS = Look(FENCE, (0.80, 0.79, 0.75), "pickets", TWO_SIDED | CUTOUT)
WIRE = Look(FENCE, (0.40, 0.42, 0.41), "wire", TWO_SIDED | CUTOUT)
IRON_RAILING = Look(FENCE, (0.04, 0.045, 0.05), "railing", TWO_SIDED | CUTOUT)


def border(
    site: Site,
    road: Road,
    side: str,
    start: float,
    end: float,
    look: Look,
    height: float,
    gate: float,
    gate_width: float = 1.6,
) -> None:
    """Add a hedge, wall or fence along the back of the sidewalk, from s = start to s = end.

    side: "left" or "right". height: metres above the lawn. gate, gate_width: s of the middle of a gap, and its metres.
    """
    sign, mesh = (1.0 if side == "right" else -1.0), Mesh()
    solid = look.label in (WALL, VEGETATION)
    half = 0.0 if not solid else (0.35 if look.label == VEGETATION else 0.13)  # half the thickness
    for s0, s1 in ((start + 0.2, gate - gate_width / 2), (gate + gate_width / 2, end - 0.2)):
        if s1 - s0 < 0.6:
            continue
        s = road.stations(3.0, s0, min(s1, road.length))
        t = road.border(side) + sign * (0.25 + half)
        if solid:
            thick_wall(mesh, road.points(s, t - half), road.points(s, t + half), height, look)
        else:
            line = road.points(s, t)
            upright_band(mesh, line, VERGE_HEIGHT, VERGE_HEIGHT + height, look, 1.0 / height)
            posts(mesh, line, height, look)
    if mesh.parts:
        site.parts.append(mesh.build())


def upright_band(mesh: Mesh, line: np.ndarray, low: float, high: float, look: Look, scale: float) -> None:
    """Add a thin upright band over a line (n, 2), between two heights. scale: texture repeats per metre."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]) * scale
    a = np.column_stack([line, np.full(len(line), low)])
    b = np.column_stack([line, np.full(len(line), high)])
    v_low = (high - low) * scale
    uv = [
        np.stack([along[i : len(along) - 1 + i], np.full(len(along) - 1, v)], 1)
        for i, v in ((0, v_low), (1, v_low), (1, 0), (0, 0))
    ]
    mesh.quads(np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1), look, np.stack(uv, axis=1))


def posts(mesh: Mesh, line: np.ndarray, height: float, look: Look) -> None:
    """Add the posts of a fence at the points of a line (n, 2)."""
    solid = look.replace(texture="white", flags=0)
    for x, y in line:
        mesh.box((x - 0.04, y - 0.04, VERGE_HEIGHT), (x + 0.04, y + 0.04, VERGE_HEIGHT + height + 0.08), solid)


def thick_wall(mesh: Mesh, one: np.ndarray, other: np.ndarray, height: float, look: Look) -> None:
    """Add a wall or hedge between two lines (n, 2). height: metres above the lawn."""
    low, top = VERGE_HEIGHT - 0.02, VERGE_HEIGHT + height
    two_sided = look.replace(flags=look.flags | TWO_SIDED)
    for line in (one, other):
        upright_band(mesh, line, low, top, two_sided, 0.45)
    raised = [np.column_stack([line, np.full(len(line), top)]) for line in (one, other)]
    coping = two_sided.replace(colour=tuple(0.9 * c for c in look.colour), texture="concrete")
    mesh.strip(*raised, two_sided if look.label == VEGETATION else coping, 0.45)
    for k in (0, -1):  # the two ends
        a, b = one[k], other[k]
        mesh.quads([[(*a, low), (*b, low), (*b, top), (*a, top)]], two_sided, UNIT * [0.3, height * 0.45])
