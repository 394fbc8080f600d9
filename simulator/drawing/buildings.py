"""Houses, shops, blocks of flats and offices.

The centre of a building's ground plan is the origin; its street front faces x. Depth is along x, width along y,
both a whole number of bays of 3.2 m. The storeys are between the heights `base` (0, or that of the shops) and `top`, in
metres.
"""

from __future__ import annotations

import numpy as np

from simulator.drawing.designs import BAY, DOOR_COLOURS, PLASTER_COLOURS, SHOP_HEIGHT, STOREY, Design
from simulator.drawing.mesh import (
    BUILDING,
    CUTOUT,
    NO_SHADOW,
    TWO_SIDED,
    UNIT,
    WINDOWS,
    LinearColour,
    Look,
    Mesh,
    Triangles,
)
from simulator.drawing.roofs import EAVES, ROOFS

STONE = Look(BUILDING, (0.80, 0.78, 0.74), "concrete")
RAIL = Look(BUILDING, (0.05, 0.05, 0.055), "railing", TWO_SIDED | CUTOUT)


def build(design: Design, rng: np.random.Generator) -> Triangles:
    """Build a building."""
    mesh = Mesh()
    base = SHOP_HEIGHT if design.ground == "shops" else 0.0
    top = base + design.storeys * STOREY
    wall = Look(BUILDING, design.colour, design.facade, WINDOWS, gloss=0.95)
    shift = rng.integers(0, 16, 2) / 4.0  # whole bays and storeys, so that houses show different windows
    for side in range(4):
        storey_wall(mesh, design, side, base, top, wall, shift)
    if design.ground == "shops":
        shop_front(mesh, design, rng)
    else:
        entrance(mesh, design, rng)
    cornice(mesh, design, base, top)
    ROOFS[design.roof](mesh, design, top, rng)
    if "bay windows" in design.extras and design.storeys > 2:
        bay_windows(mesh, design, base, rng, wall)
    elif "balconies" in design.extras:
        balconies(mesh, design, base, rng)
    x, y = design.depth / 2 + 0.05, design.width / 2 - 0.15  # of the downpipe
    mesh.tube((x, y, 0.1), (x, y, top), 0.055, None, Look(BUILDING, (0.28, 0.28, 0.28)), 5, caps=False)
    return mesh.build()


def side_of(design: Design, side: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return both corners (x, y) of a side and its number of bays. side: 0 street, 1 right, 2 back, 3 left."""
    x, y = design.depth / 2, design.width / 2
    corners = np.array([(x, -y), (x, y), (-x, y), (-x, -y)])
    return corners[side], corners[(side + 1) % 4], design.bays[side % 2]


def storey_wall(mesh: Mesh, design: Design, side: int, low: float, high: float, look: Look, shift: np.ndarray) -> None:
    """Add one outer wall with its windows. side: see `side_of`. shift: offset (u, v) in the facade texture."""
    a, b, bays = side_of(design, side)
    storeys = round((high - low) / STOREY)
    uv = UNIT * [bays / 4, storeys / 4] + shift + [side * 2.0, 0.0]
    mesh.quads([[(*a, low), (*b, low), (*b, high), (*a, high)]], look, uv)


def shop_front(mesh: Mesh, design: Design, rng: np.random.Generator) -> None:
    """Add shops along the street, with awnings over some, and plain walls on the other sides."""
    look = Look(BUILDING, texture=f"shops {rng.integers(6)}", flags=WINDOWS, gloss=0.8)  # shows two shops
    a, b, bays = side_of(design, 0)
    shops = max(1, round(bays / 2))
    uv = UNIT * [shops / 2, 1.0] + [rng.integers(2) / 2, 0]
    mesh.quads([[(*a, 0), (*b, 0), (*b, SHOP_HEIGHT), (*a, SHOP_HEIGHT)]], look, uv)
    plain = Look(
        BUILDING,
        tuple(0.75 * c for c in design.colour),
        "plaster" if "brick" not in design.facade else "brick",
    )
    for side in (1, 2, 3):
        a, b, bays = side_of(design, side)
        mesh.quads([[(*a, 0), (*b, 0), (*b, SHOP_HEIGHT), (*a, SHOP_HEIGHT)]], plain, UNIT * [bays / 4, 0.3])
    if "awnings" not in design.extras:
        return
    x, shop_width = design.depth / 2, design.width / shops
    for i in range(shops):
        if rng.random() < 0.6:
            y0 = -design.width / 2 + i * shop_width + 0.3
            y1 = -design.width / 2 + (i + 1) * shop_width - 0.3
            awning(mesh, x, y0, y1, DOOR_COLOURS[rng.integers(len(DOOR_COLOURS))])


def awning(mesh: Mesh, x: float, y0: float, y1: float, colour: LinearColour) -> None:
    """Add a striped awning over a shop window, on the wall at x, from y0 to y1. colour: of every other stripe."""
    stripes = max(4, round((y1 - y0) / 0.4))
    edges = np.linspace(y0, y1, stripes + 1)
    for i in range(stripes):
        a, b = edges[i], edges[i + 1]
        look = Look(BUILDING, (0.72, 0.70, 0.66) if i % 2 else tuple(1.6 * c + 0.05 for c in colour), flags=TWO_SIDED)
        mesh.quads([[(x + 1.25, a, 2.62), (x + 1.25, b, 2.62), (x, b, 3.02), (x, a, 3.02)]], look)
        mesh.quads([[(x + 1.25, a, 2.45), (x + 1.25, b, 2.45), (x + 1.25, b, 2.62), (x + 1.25, a, 2.62)]], look)


def entrance(mesh: Mesh, design: Design, rng: np.random.Generator) -> None:
    """Add a plinth and the front door with its step and canopy."""
    x, half = design.depth / 2, design.width / 2
    mesh.box((-x - 0.04, -half - 0.04, 0), (x + 0.04, half + 0.04, 0.5), STONE.replace(colour=(0.5, 0.49, 0.46)), 0.3)
    bay = rng.integers(design.bays[0])
    y = -half + (bay + 0.5) * BAY
    door = Look(BUILDING, DOOR_COLOURS[rng.integers(len(DOOR_COLOURS))], "door", WINDOWS, gloss=0.5)
    front = x + 0.07  # of the door
    surround = STONE.replace(texture="plaster")
    mesh.box((x - 0.1, y - 0.85, 0), (front - 0.01, y + 0.85, 2.75), surround, 0.3)
    mesh.quads([[(front, y - 0.6, 0.15), (front, y + 0.6, 0.15), (front, y + 0.6, 2.5), (front, y - 0.6, 2.5)]], door)
    mesh.box((x, y - 0.9, 0), (x + 0.6, y + 0.9, 0.16), STONE)
    mesh.box((x, y - 1.0, 2.75), (x + 0.8, y + 1.0, 2.87), Look(BUILDING, (0.24, 0.24, 0.25)), bottom=True)


def cornice(mesh: Mesh, design: Design, base: float, top: float) -> None:
    """Add bands over the shops and under the roof."""
    x, y, out = design.depth / 2, design.width / 2, EAVES if design.roof != "flat" else 0.16
    colour = tuple(0.35 + 0.5 * c for c in design.colour)
    look = Look(BUILDING, colour, "plaster")
    mesh.box((-x - out, -y - out * 0.4, top - 0.05), (x + out, y + out * 0.4, top + 0.3), look, 0.3, bottom=True)
    if base:
        mesh.box((x - 0.2, -y - 0.02, base - 0.16), (x + 0.16, y + 0.02, base + 0.1), look, 0.3, bottom=True)


def bay_windows(mesh: Mesh, design: Design, base: float, rng: np.random.Generator, wall: Look) -> None:
    """Add a glazed bay over two or more storeys. wall: the look of its front."""
    x, storeys = design.depth / 2, min(design.storeys, int(rng.integers(2, 4)))
    y = -design.width / 2 + (rng.integers(design.bays[0]) + 0.5) * BAY
    low, high = base + 0.02, base + storeys * STOREY - 0.3
    half = 1.25  # half the width of its front
    front, side = x + 0.75, half + 0.3  # side: half its width at the wall
    uv = UNIT * [0.25, storeys / 4]
    faces = [[(front, y - half, low), (front, y + half, low), (front, y + half, high), (front, y - half, high)]]
    mesh.quads(faces, wall, uv)
    slanted = [
        [(x, y - side, low), (front, y - half, low), (front, y - half, high), (x, y - side, high)],
        [(front, y + half, low), (x, y + side, low), (x, y + side, high), (front, y + half, high)],
    ]
    mesh.quads(slanted, Look(BUILDING, tuple(0.9 * c for c in design.colour), "plaster"))
    lid = Look(BUILDING, (0.30, 0.31, 0.32))
    for z in (low, high):
        mesh.box((x - 0.1, y - side, z - 0.08), (front + 0.08, y + side, z + 0.08), lid, bottom=True)


def balconies(mesh: Mesh, design: Design, base: float, rng: np.random.Generator) -> None:
    """Add slabs with railings on some of the bays."""
    x, half = design.depth / 2, design.width / 2
    columns = [i for i in range(design.bays[0]) if (i + rng.integers(2)) % 2 == 0]
    slab = Look(BUILDING, (0.66, 0.65, 0.62), "concrete")
    solid = rng.random() < 0.4
    parapet = Look(BUILDING, PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))], flags=TWO_SIDED) if solid else RAIL
    for storey in range(1 if not base else 0, design.storeys):
        z = base + storey * STOREY + 0.02
        for i in columns:
            y0, y1 = -half + i * BAY + 0.35, -half + (i + 1) * BAY - 0.35
            mesh.box((x, y0, z - 0.16), (x + 1.15, y1, z), slab, 0.3, bottom=True)
            front, high = x + 1.12, z + 1.0  # of the parapet
            face = [(front, y0, z), (front, y1, z), (front, y1, high), (front, y0, high)]
            mesh.quads([face], parapet, UNIT * [2.0, 1.0])
            for y in (y0, y1):
                mesh.quads([[(x, y, z), (front, y, z), (front, y, high), (x, y, high)]], parapet, UNIT)


def garage(rng: np.random.Generator) -> Triangles:
    """Build a single garage whose door faces x."""
    mesh = Mesh()
    wall = Look(BUILDING, PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))], "plaster")
    mesh.box((-3.0, -1.7, 0), (3.0, 1.7, 2.7), wall, 0.3, top=Look(BUILDING, (0.4, 0.4, 0.4), "concrete"))
    mesh.quads(
        [[(3.02, -1.35, 0.02), (3.02, 1.35, 0.02), (3.02, 1.35, 2.2), (3.02, -1.35, 2.2)]],
        Look(BUILDING, DOOR_COLOURS[rng.integers(len(DOOR_COLOURS))], "garage"),
    )
    mesh.box((-3.1, -1.8, 2.7), (3.15, 1.8, 2.85), Look(BUILDING, (0.3, 0.3, 0.31)), bottom=True)
    return mesh.build()


def skyline_block(rng: np.random.Generator) -> Triangles:
    """Build a simple distant building whose ground plan is centred on the origin."""
    mesh = Mesh()
    bays, storeys = int(rng.integers(3, 9)), int(rng.integers(3, 14))
    facade = str(rng.choice(["facade plaster", "facade block", "facade ribbon", "facade brick"]))
    design = Design(
        facade, PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))], (bays, int(rng.integers(3, 6))), storeys, "flat"
    )
    wall = Look(BUILDING, design.colour, facade, WINDOWS | NO_SHADOW, gloss=0.6)
    for side in range(4):
        storey_wall(mesh, design, side, 0.0, storeys * STOREY, wall, rng.integers(0, 16, 2) / 4.0)
    x, y, top = design.depth / 2, design.width / 2, storeys * STOREY
    mesh.box((-x, -y, top), (x, y, top + 0.5), Look(BUILDING, (0.4, 0.4, 0.4), "concrete", NO_SHADOW), 0.3)
    return mesh.build()
