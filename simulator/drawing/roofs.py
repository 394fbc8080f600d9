"""Roofs with dormers, chimneys and other superstructures.

The origin and axes are those of `buildings`; `top` is the height at which the walls end, in metres.
"""

from __future__ import annotations

import numpy as np

from simulator.drawing.designs import BAY, Design
from simulator.drawing.mesh import BUILDING, UNIT, Look, Mesh

EAVES = 0.35  # metres by which a sloping roof projects over the wall
REPEAT = 3.2  # metres that one repeat of a roof's texture covers


def flat_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Add a parapet, a stair house, ventilation units and an aerial."""
    x, y = design.depth / 2, design.width / 2
    look = Look(BUILDING, tuple(0.3 + 0.6 * c for c in design.colour), "concrete")
    # the four sides of the parapet
    for x0, x1, y0, y1 in (
        (x - 0.25, x, -y, y),
        (-x, -x + 0.25, -y, y),
        (-x, x, y - 0.25, y),
        (-x, x, -y, -y + 0.25),
    ):
        mesh.box((x0, y0, top + 0.25), (x1, y1, top + 0.9), look, 0.3)
    stairs_x, stairs_y = rng.uniform(-0.4, 0.1) * x, rng.uniform(-0.5, 0.5) * y
    mesh.box(
        (stairs_x - 1.6, stairs_y - 2.0, top + 0.2),
        (stairs_x + 1.6, stairs_y + 2.0, top + 2.9),
        look,
        0.3,
    )
    for _ in range(int(rng.integers(1, 4))):
        unit_x, unit_y = rng.uniform(-0.7, 0.5) * x, rng.uniform(-0.8, 0.8) * y
        mesh.box(
            (unit_x - 0.5, unit_y - 0.7, top + 0.2),
            (unit_x + 0.5, unit_y + 0.7, top + 1.3),
            Look(BUILDING, (0.5, 0.52, 0.53)),
        )
    aerial = Look(BUILDING, (0.3, 0.3, 0.3))
    mesh.tube((stairs_x, stairs_y, top + 2.8), (stairs_x, stairs_y, top + 6.0), 0.04, None, aerial, 4)


def gable_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Add two slopes with the ridge along the street."""
    x, y, z = design.depth / 2 + EAVES, design.width / 2 + 0.1, top + 0.3
    ridge = z + x * rng.uniform(0.62, 0.85)
    tiles = roof_look(rng)
    uv = UNIT * [design.width / REPEAT, x * 1.25 / REPEAT]
    mesh.quads(
        [
            [(x, -y, z), (x, y, z), (0, y, ridge), (0, -y, ridge)],
            [(-x, y, z), (-x, -y, z), (0, -y, ridge), (0, y, ridge)],
        ],
        tiles,
        uv,
    )
    gable = Look(BUILDING, tuple(0.92 * c for c in design.colour), "brick" if "brick" in design.facade else "plaster")
    mesh.triangles(
        [[(x, y, z), (-x, y, z), (0, y, ridge)], [(-x, -y, z), (x, -y, z), (0, -y, ridge)]],
        gable,
        np.array([(0, 1), (1.0, 1), (0.5, 0.5)]),
    )
    dormers_and_chimneys(mesh, design, z, ridge, x, tiles, rng)


def hip_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Add four slopes; the ridge is shorter than the street front."""
    x, y, z = design.depth / 2 + EAVES, design.width / 2 + EAVES, top + 0.3
    ridge, end = z + x * rng.uniform(0.6, 0.8), max(0.0, y - x)  # height of the ridge, and half its length
    tiles = roof_look(rng)
    uv = UNIT * [design.width / REPEAT, x * 1.25 / REPEAT]
    mesh.quads(
        [
            [(x, -y, z), (x, y, z), (0, end, ridge), (0, -end, ridge)],
            [(-x, y, z), (-x, -y, z), (0, -end, ridge), (0, end, ridge)],
        ],
        tiles,
        uv,
    )
    mesh.triangles(
        [[(x, y, z), (-x, y, z), (0, end, ridge)], [(-x, -y, z), (x, -y, z), (0, -end, ridge)]],
        tiles,
        np.array([(0, 2), (2, 2), (1, 0)]),
    )
    dormers_and_chimneys(mesh, design, z, ridge, x, tiles, rng)


def mansard_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Add a steep storey of slate with dormers, nearly flat on top."""
    x, y, z = design.depth / 2 + 0.1, design.width / 2, top + 0.3
    inner, high = x - 1.0, z + 2.7  # the upper edge of the steep slopes
    slate = Look(BUILDING, (1.0, 1.0, 1.0), "slate", gloss=0.05)
    uv = UNIT * [design.width / REPEAT, 0.9]
    mesh.quads(
        [
            [(x, -y, z), (x, y, z), (inner, y, high), (inner, -y, high)],
            [(-x, y, z), (-x, -y, z), (-inner, -y, high), (-inner, y, high)],
        ],
        slate,
        uv,
    )
    ends = [
        [(x, y, z), (-x, y, z), (-inner, y, high), (inner, y, high)],
        [(-x, -y, z), (x, -y, z), (inner, -y, high), (-inner, -y, high)],
    ]
    mesh.quads(ends, Look(BUILDING, tuple(0.9 * c for c in design.colour), "plaster"))
    ridge = high + 0.9
    mesh.quads(
        [
            [(inner, -y, high), (inner, y, high), (0, y, ridge), (0, -y, ridge)],
            [(-inner, y, high), (-inner, -y, high), (0, -y, ridge), (0, y, ridge)],
        ],
        slate,
        uv,
    )
    for i in range(design.bays[0]):
        dormer(mesh, x - 0.35, -y + (i + 0.5) * BAY, z + 0.35, 1.75, slate)
    chimneys(mesh, design, ridge, rng)


def roof_look(rng: np.random.Generator) -> Look:
    """Return a random look of clay tiles or slate."""
    tone = rng.uniform(0.75, 1.15)
    return Look(BUILDING, (tone, tone, tone), "roof" if rng.random() < 0.65 else "slate", gloss=0.04)


def dormers_and_chimneys(
    mesh: Mesh, design: Design, z: float, ridge: float, x: float, tiles: Look, rng: np.random.Generator
) -> None:
    """Add dormers to the front slope, and chimneys, if the design has them.

    z, ridge: heights of the eaves and of the ridge. x: of the front eaves.
    """
    if "dormers" in design.extras:
        for i in range(design.bays[0]):
            if rng.random() < 0.6:
                y = -design.width / 2 + (i + 0.5) * BAY
                dormer(mesh, x * 0.72, y, z + (ridge - z) * 0.28, 1.3, tiles)
    if "chimneys" in design.extras:
        chimneys(mesh, design, ridge, rng)


def dormer(mesh: Mesh, x: float, y: float, z: float, height: float, tiles: Look) -> None:
    """Add a dormer window. x: its front. y: its middle. z: height of its sill. height: metres above the sill."""
    frame = Look(BUILDING, (0.78, 0.78, 0.75))
    mesh.box((x - 2.2, y - 0.62, z - 0.3), (x, y + 0.62, z + height), frame, top=tiles)
    glass = Look(BUILDING, (0.03, 0.035, 0.04), gloss=0.9)
    front, low, high = x + 0.01, z + 0.1, z + height - 0.12
    for y0, y1 in ((y - 0.5, y - 0.04), (y + 0.04, y + 0.5)):
        mesh.quads([[(front, y0, low), (front, y1, low), (front, y1, high), (front, y0, high)]], glass)
    mesh.box((x - 2.2, y - 0.75, z + height), (x + 0.18, y + 0.75, z + height + 0.1), tiles, bottom=True)


def chimneys(mesh: Mesh, design: Design, ridge: float, rng: np.random.Generator) -> None:
    """Add one or two brick chimneys with pots. ridge: height of the ridge."""
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        y, x = side * (design.width / 2 - 0.8), rng.uniform(-0.8, 0.8)
        mesh.box(
            (x - 0.3, y - 0.5, ridge - 1.6),
            (x + 0.3, y + 0.5, ridge + 0.9),
            Look(BUILDING, texture="brick"),
            0.2,
        )
        for dy in (-0.25, 0.25):
            mesh.tube(
                (x, y + dy, ridge + 0.9),
                (x, y + dy, ridge + 1.25),
                0.12,
                None,
                Look(BUILDING, (0.42, 0.18, 0.11)),
                6,
            )


ROOFS = {"flat": flat_roof, "gable": gable_roof, "hip": hip_roof, "mansard": mansard_roof}
