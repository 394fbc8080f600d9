"""The surroundings of the town: open land, woods, distant houses and hills, so that no camera sees an edge."""

from __future__ import annotations

import numpy as np

from simulator.drawing import buildings
from simulator.drawing.mesh import (
    DISTANT,
    NO_OCCLUSION,
    NO_SHADOW,
    TERRAIN,
    TWO_SIDED,
    VEGETATION,
    Look,
    Mesh,
    Triangles,
    placed,
    pose_matrix,
)
from simulator.drawing.street import Land

TREETOPS = Look(VEGETATION, (0.34, 0.42, 0.28), "hedge", NO_SHADOW | NO_OCCLUSION | DISTANT)
FIELDS = Look(TERRAIN, (0.70, 0.74, 0.62), "grass", NO_SHADOW)


def surroundings(land: Land, rng: np.random.Generator) -> tuple[list[Triangles], list[np.ndarray]]:
    """Return the triangles around a town, and the positions (x, y) of single trees."""
    rows, columns = land.used.shape
    low, high = land.corner, land.corner + np.array([columns, rows]) * land.CELL
    mesh = Mesh()
    open_land(mesh, low, high)
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low) / 2)  # the circle through the town's corners
    hills(mesh, middle, reach, rng)
    woods(mesh, middle, reach, rng)
    parts = [mesh.build()]
    for _ in range(70):
        angle = rng.uniform(0, 2 * np.pi)
        distance = reach * rng.uniform(1.08, 1.9)
        at = middle + distance * np.array([np.cos(angle), np.sin(angle)])
        matrix = pose_matrix(*at, -0.4, rng.choice([0, 90]) + rng.normal(0, 5))
        parts.append(placed(buildings.skyline_block(rng), matrix))
    return parts, border_trees(low, high, rng)


def open_land(mesh: Mesh, low: np.ndarray, high: np.ndarray) -> None:
    """Add fields up to the hills, and a floor under the town so that no gap shows the sky.

    low, high (2,): corners of the town.
    """
    (x0, y0), (x1, y1) = low, high
    far = 1500.0  # metres
    strips = [(-far, -far, far, y0), (-far, y1, far, far), (-far, y0, x0, y1), (x1, y0, far, y1)]
    for a, b, c, d in strips:
        flat = np.array([(a, b), (c, b), (c, d), (a, d)])
        mesh.quads([np.column_stack([flat, np.full(4, 0.0)])], FIELDS.replace(flags=NO_SHADOW | DISTANT), flat / 23.0)
    for x in np.arange(x0, x1, 32.0):
        for y in np.arange(y0, y1, 32.0):
            flat = np.array([(x, y), (x + 32, y), (x + 32, y + 32), (x, y + 32)])
            mesh.quads([np.column_stack([flat, np.full(4, -0.12)])], FIELDS, flat / 9.0)


def hills(mesh: Mesh, middle: np.ndarray, reach: float, rng: np.random.Generator) -> None:
    """Add three rings of hills, each higher and paler than the last. middle, reach: the circle around the town."""
    angle = np.linspace(0, 2 * np.pi, 97)
    colours = ((0.36, 0.44, 0.30), (0.34, 0.42, 0.36), (0.34, 0.40, 0.42))
    for ring, colour in enumerate(colours):
        distance = reach * 1.5 + 260.0 * (ring + 1)
        phase = rng.uniform(0, 6, 4)
        ridge = (
            12.0
            + 16.0 * ring
            + sum((9.0 + 4 * ring) / (k + 1) * np.sin((3 + 4 * k) * angle + phase[k]) for k in range(4))
        )
        ridge = np.maximum(ridge, 4.0)
        out = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        foot = np.column_stack([middle + out * (distance - 160), np.full(len(angle), -1.0)])
        crest = np.column_stack([middle + out * distance, ridge])
        uv = np.stack(np.meshgrid(angle * 9, [0.0, 1.6]), axis=-1)
        look = Look(TERRAIN, colour, "grass", NO_SHADOW | NO_OCCLUSION | DISTANT | TWO_SIDED)
        mesh.grid(np.stack([foot, crest]), look, uv=uv)


def woods(mesh: Mesh, middle: np.ndarray, reach: float, rng: np.random.Generator) -> None:
    """Add groves of round treetops between town and hills. middle, reach: the circle around the town."""
    for _ in range(46):
        angle, distance = rng.uniform(0, 2 * np.pi), reach * rng.uniform(1.12, 1.7)
        centre = middle + distance * np.array([np.cos(angle), np.sin(angle)])
        for _ in range(int(rng.integers(3, 7))):
            x, y = centre + rng.normal(0, 14, 2)
            radius, height = rng.uniform(5, 12), rng.uniform(4, 8)
            tone = rng.uniform(0.8, 1.2)
            colour = tuple(tone * c for c in TREETOPS.colour)
            mesh.ball((x, y, height * 0.5), (radius, radius, height), TREETOPS.replace(colour=colour), 9, 6)


def border_trees(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return positions (x, y) of trees along the town's border. low, high (2,): corners of the town."""
    positions = []
    for x in np.arange(low[0], high[0], 9.0):
        positions += [np.array([x, low[1]]), np.array([x, high[1]])]
    for y in np.arange(low[1], high[1], 9.0):
        positions += [np.array([low[0], y]), np.array([high[0], y])]
    return [position + rng.normal(0, 5, 2) for position in positions]
