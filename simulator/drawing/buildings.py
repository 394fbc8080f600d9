"""Houses, shops, blocks of flats and offices.

A building stands with the middle of its ground plan at the origin; its street front looks along x. Depth is
along x, width along y, both whole bays of 3.2 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.drawing.mesh import BUILDING, CUTOUT, NO_SHADOW, TWO_SIDED, UNIT, WINDOWS, Look, Mesh, Triangles

BAY, STOREY, SHOP_HEIGHT = 3.2, 3.2, 3.8  # metres
EAVES = 0.35
RENDER = ((0.86, 0.82, 0.72), (0.80, 0.62, 0.42), (0.62, 0.70, 0.76), (0.88, 0.86, 0.84), (0.76, 0.52, 0.44),
          (0.66, 0.72, 0.60), (0.90, 0.80, 0.56), (0.58, 0.56, 0.54))  # fmt: skip
DOORS = ((0.22, 0.04, 0.03), (0.03, 0.10, 0.16), (0.05, 0.14, 0.08), (0.10, 0.06, 0.04), (0.55, 0.55, 0.52))
STONE = Look(BUILDING, (0.80, 0.78, 0.74), "concrete")
RAIL = Look(BUILDING, (0.05, 0.05, 0.055), "railing", TWO_SIDED | CUTOUT)
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Design:
    """What one building looks like. bays: along the street, and deep. roof: "flat", "gable", "hip" or "mansard".
    ground: "shops", "flats" (like the storeys above) or "plinth". extras: some of "bays", "balconies",
    "awnings", "dormers", "chimneys"."""

    facade: str
    colour: Colour
    bays: tuple[int, int]
    storeys: int
    roof: str
    ground: str = "flats"
    extras: tuple[str, ...] = ()

    @property
    def depth(self) -> float:
        """Metres away from the street."""
        return self.bays[1] * BAY

    @property
    def width(self) -> float:
        """Metres along the street."""
        return self.bays[0] * BAY


def town_house(rng: np.random.Generator, bays: int) -> Design:
    """A house in a closed row, shops or flats at street level."""
    facade = str(rng.choice(["facade plaster", "facade brick", "facade yellow brick", "facade french"]))
    plain = "brick" in facade
    extras = [e for e, chance in (("bays", 0.25), ("balconies", 0.25), ("awnings", 0.55), ("dormers", 0.6), ("chimneys", 0.7))
              if rng.random() < chance]  # fmt: skip
    return Design(
        facade,
        (1.0, 1.0, 1.0) if plain else RENDER[rng.integers(len(RENDER))],
        (bays, int(rng.integers(3, 5))),
        int(rng.integers(2, 6)),
        str(rng.choice(["gable", "mansard", "flat"], p=[0.45, 0.3, 0.25])),
        "shops" if rng.random() < 0.7 else "plinth",
        tuple(extras),
    )


def detached_house(rng: np.random.Generator) -> Design:
    """A family house."""
    facade = str(rng.choice(["facade cottage", "facade brick", "facade plaster", "facade cottage"]))
    colour = (1.0, 1.0, 1.0) if "brick" in facade else RENDER[rng.integers(len(RENDER))]
    extras = ("chimneys", "dormers") if rng.random() < 0.5 else ("chimneys",)
    bays = (int(rng.integers(3, 5)), int(rng.integers(2, 4)))
    return Design(facade, colour, bays, int(rng.integers(1, 3)), str(rng.choice(["gable", "hip"])), "flats", extras)


def office(rng: np.random.Generator, bays: int) -> Design:
    """A modern building of glass or concrete bands."""
    facade = str(rng.choice(["facade glass", "facade ribbon"]))
    grey = rng.uniform(0.75, 1.05)
    ground = "shops" if rng.random() < 0.35 else "flats"
    return Design(facade, (grey, grey, grey * 1.02), (bays, int(rng.integers(4, 6))), int(rng.integers(3, 9)), "flat", ground)


def apartment_block(rng: np.random.Generator, bays: int) -> Design:
    """A free-standing block of flats with balconies."""
    colour = RENDER[rng.integers(len(RENDER))]
    return Design("facade block", tuple(0.5 + 0.5 * c for c in colour), (bays, 4), int(rng.integers(4, 8)), "flat",
                  "flats", ("balconies",))  # fmt: skip


def build(design: Design, rng: np.random.Generator) -> Triangles:
    """The triangles of a building."""
    mesh = Mesh()
    base = SHOP_HEIGHT if design.ground == "shops" else 0.0
    top = base + design.storeys * STOREY
    wall = Look(BUILDING, design.colour, design.facade, WINDOWS, gloss=0.95)
    shift = rng.integers(0, 16, 2) / 4.0
    for side in range(4):
        storey_wall(mesh, design, side, base, top, wall, shift)
    if design.ground == "shops":
        shop_front(mesh, design, rng)
    else:
        entrance(mesh, design, rng)
    cornice(mesh, design, base, top)
    ROOFS[design.roof](mesh, design, top, rng)
    if "bays" in design.extras and design.storeys > 2:
        bay_windows(mesh, design, base, rng, wall)
    elif "balconies" in design.extras:
        balconies(mesh, design, base, rng)
    x, y = design.depth / 2 + 0.05, design.width / 2 - 0.15
    mesh.tube((x, y, 0.1), (x, y, top), 0.055, None, Look(BUILDING, (0.28, 0.28, 0.28)), 5, caps=False)
    return mesh.build()


def side_of(design: Design, side: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(first corner, second corner, bays) of a side: 0 street, 1 right, 2 back, 3 left; x, y in metres."""
    x, y = design.depth / 2, design.width / 2
    corners = np.array([(x, -y), (x, y), (-x, y), (-x, -y)])
    return corners[side], corners[(side + 1) % 4], design.bays[side % 2]


def storey_wall(
    mesh: Mesh, design: Design, side: int, low: float, high: float, look: Look, shift: np.ndarray
) -> None:
    """One outer wall with its windows."""
    a, b, bays = side_of(design, side)
    storeys = round((high - low) / STOREY)
    uv = UNIT * [bays / 4, storeys / 4] + shift + [side * 2.0, 0.0]
    mesh.quads([[(*a, low), (*b, low), (*b, high), (*a, high)]], look, uv)


def shop_front(mesh: Mesh, design: Design, rng: np.random.Generator) -> None:
    """Shops along the street; plain walls on the other sides; awnings over some shops."""
    look = Look(BUILDING, texture=f"shops {rng.integers(6)}", flags=WINDOWS, gloss=0.8)
    a, b, bays = side_of(design, 0)
    shops = max(1, round(bays / 2))
    uv = UNIT * [shops / 2, 1.0] + [rng.integers(2) / 2, 0]
    mesh.quads([[(*a, 0), (*b, 0), (*b, SHOP_HEIGHT), (*a, SHOP_HEIGHT)]], look, uv)
    plain = Look(BUILDING, tuple(0.75 * c for c in design.colour), "plaster" if "brick" not in design.facade else "brick")
    for side in (1, 2, 3):
        a, b, bays = side_of(design, side)
        mesh.quads([[(*a, 0), (*b, 0), (*b, SHOP_HEIGHT), (*a, SHOP_HEIGHT)]], plain, UNIT * [bays / 4, 0.3])
    if "awnings" not in design.extras:
        return
    x, span = design.depth / 2, design.width / shops
    for i in range(shops):
        if rng.random() < 0.6:
            y0, y1 = -design.width / 2 + i * span + 0.3, -design.width / 2 + (i + 1) * span - 0.3
            awning(mesh, x, y0, y1, DOORS[rng.integers(len(DOORS))])


def awning(mesh: Mesh, x: float, y0: float, y1: float, colour: Colour) -> None:
    """A striped cloth over a shop window."""
    stripes = max(4, round((y1 - y0) / 0.4))
    edges = np.linspace(y0, y1, stripes + 1)
    for i in range(stripes):
        a, b = edges[i], edges[i + 1]
        look = Look(BUILDING, (0.72, 0.70, 0.66) if i % 2 else tuple(1.6 * c + 0.05 for c in colour), flags=TWO_SIDED)
        mesh.quads([[(x + 1.25, a, 2.62), (x + 1.25, b, 2.62), (x, b, 3.02), (x, a, 3.02)]], look)
        mesh.quads([[(x + 1.25, a, 2.45), (x + 1.25, b, 2.45), (x + 1.25, b, 2.62), (x + 1.25, a, 2.62)]], look)


def entrance(mesh: Mesh, design: Design, rng: np.random.Generator) -> None:
    """A plinth, the front door with its step and canopy."""
    x, half = design.depth / 2, design.width / 2
    mesh.box((-x - 0.04, -half - 0.04, 0), (x + 0.04, half + 0.04, 0.5), STONE.but(colour=(0.5, 0.49, 0.46)), 0.3)
    bay = rng.integers(design.bays[0])
    y = -half + (bay + 0.5) * BAY
    door = Look(BUILDING, DOORS[rng.integers(len(DOORS))], "door", WINDOWS, gloss=0.5)
    f = x + 0.07
    surround = STONE.but(texture="plaster")
    mesh.box((x - 0.1, y - 0.85, 0), (f - 0.01, y + 0.85, 2.75), surround, 0.3)
    mesh.quads([[(f, y - 0.6, 0.15), (f, y + 0.6, 0.15), (f, y + 0.6, 2.5), (f, y - 0.6, 2.5)]], door)
    mesh.box((x, y - 0.9, 0), (x + 0.6, y + 0.9, 0.16), STONE)
    mesh.box((x, y - 1.0, 2.75), (x + 0.8, y + 1.0, 2.87), Look(BUILDING, (0.24, 0.24, 0.25)), bottom=True)


def cornice(mesh: Mesh, design: Design, base: float, top: float) -> None:
    """Bands over the shops and under the roof."""
    x, y, e = design.depth / 2, design.width / 2, EAVES if design.roof != "flat" else 0.16
    tone = tuple(0.35 + 0.5 * c for c in design.colour)
    look = Look(BUILDING, tone, "plaster")
    mesh.box((-x - e, -y - e * 0.4, top - 0.05), (x + e, y + e * 0.4, top + 0.3), look, 0.3, bottom=True)
    if base:
        mesh.box((x - 0.2, -y - 0.02, base - 0.16), (x + 0.16, y + 0.02, base + 0.1), look, 0.3, bottom=True)


def flat_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """A parapet, gravel, and what stands on it."""
    x, y = design.depth / 2, design.width / 2
    look = Look(BUILDING, tuple(0.3 + 0.6 * c for c in design.colour), "concrete")
    for x0, x1, y0, y1 in ((x - 0.25, x, -y, y), (-x, -x + 0.25, -y, y), (-x, x, y - 0.25, y), (-x, x, -y, -y + 0.25)):
        mesh.box((x0, y0, top + 0.25), (x1, y1, top + 0.9), look, 0.3)
    px, py = rng.uniform(-0.4, 0.1) * x, rng.uniform(-0.5, 0.5) * y
    mesh.box((px - 1.6, py - 2.0, top + 0.2), (px + 1.6, py + 2.0, top + 2.9), look, 0.3)
    for _ in range(int(rng.integers(1, 4))):
        ax, ay = rng.uniform(-0.7, 0.5) * x, rng.uniform(-0.8, 0.8) * y
        mesh.box((ax - 0.5, ay - 0.7, top + 0.2), (ax + 0.5, ay + 0.7, top + 1.3), Look(BUILDING, (0.5, 0.52, 0.53)))
    mesh.tube((px, py, top + 2.8), (px, py, top + 6.0), 0.04, None, Look(BUILDING, (0.3, 0.3, 0.3)), 4)


def gable_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Two slopes, the ridge along the street."""
    x, y, z = design.depth / 2 + EAVES, design.width / 2 + 0.1, top + 0.3
    ridge = z + x * rng.uniform(0.62, 0.85)
    tiles = roof_look(rng)
    uv = UNIT * [design.width / 3.2, x * 1.25 / 3.2]
    mesh.quads([[(x, -y, z), (x, y, z), (0, y, ridge), (0, -y, ridge)], [(-x, y, z), (-x, -y, z), (0, -y, ridge), (0, y, ridge)]],
               tiles, uv)  # fmt: skip
    gable = Look(BUILDING, tuple(0.92 * c for c in design.colour), "brick" if "brick" in design.facade else "plaster")
    mesh.triangles([[(x, y, z), (-x, y, z), (0, y, ridge)], [(-x, -y, z), (x, -y, z), (0, -y, ridge)]], gable,
                   np.array([(0, 1), (1.0, 1), (0.5, 0.5)]))  # fmt: skip
    on_roof(mesh, design, z, ridge, x, tiles, rng)


def hip_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """Four slopes."""
    x, y, z = design.depth / 2 + EAVES, design.width / 2 + EAVES, top + 0.3
    ridge, end = z + x * rng.uniform(0.6, 0.8), max(0.0, y - x)
    tiles = roof_look(rng)
    uv = UNIT * [design.width / 3.2, x * 1.25 / 3.2]
    mesh.quads([[(x, -y, z), (x, y, z), (0, end, ridge), (0, -end, ridge)],
                [(-x, y, z), (-x, -y, z), (0, -end, ridge), (0, end, ridge)]], tiles, uv)  # fmt: skip
    mesh.triangles([[(x, y, z), (-x, y, z), (0, end, ridge)], [(-x, -y, z), (x, -y, z), (0, -end, ridge)]], tiles,
                   np.array([(0, 2), (2, 2), (1, 0)]))  # fmt: skip
    on_roof(mesh, design, z, ridge, x, tiles, rng)


def mansard_roof(mesh: Mesh, design: Design, top: float, rng: np.random.Generator) -> None:
    """A steep storey of slates with windows in it, nearly flat on top."""
    x, y, z = design.depth / 2 + 0.1, design.width / 2, top + 0.3
    inner, high = x - 1.0, z + 2.7
    slate = Look(BUILDING, (1.0, 1.0, 1.0), "slate", gloss=0.05)
    uv = UNIT * [design.width / 3.2, 0.9]
    mesh.quads([[(x, -y, z), (x, y, z), (inner, y, high), (inner, -y, high)],
                [(-x, y, z), (-x, -y, z), (-inner, -y, high), (-inner, y, high)]], slate, uv)  # fmt: skip
    ends = [[(x, y, z), (-x, y, z), (-inner, y, high), (inner, y, high)], [(-x, -y, z), (x, -y, z), (inner, -y, high), (-inner, -y, high)]]
    mesh.quads(ends, Look(BUILDING, tuple(0.9 * c for c in design.colour), "plaster"))
    ridge = high + 0.9
    mesh.quads([[(inner, -y, high), (inner, y, high), (0, y, ridge), (0, -y, ridge)],
                [(-inner, y, high), (-inner, -y, high), (0, -y, ridge), (0, y, ridge)]], slate, uv)  # fmt: skip
    for i in range(design.bays[0]):
        dormer(mesh, x - 0.35, -y + (i + 0.5) * BAY, z + 0.35, 1.75, slate)
    chimneys(mesh, design, ridge, rng)


def roof_look(rng: np.random.Generator) -> Look:
    """Clay or slate."""
    tone = rng.uniform(0.75, 1.15)
    return Look(BUILDING, (tone, tone, tone), "roof" if rng.random() < 0.65 else "slate", gloss=0.04)


def on_roof(mesh: Mesh, design: Design, z: float, ridge: float, x: float, tiles: Look, rng: np.random.Generator) -> None:
    """Dormers in the front slope, and chimneys."""
    if "dormers" in design.extras:
        for i in range(design.bays[0]):
            if rng.random() < 0.6:
                y = -design.width / 2 + (i + 0.5) * BAY
                dormer(mesh, x * 0.72, y, z + (ridge - z) * 0.28, 1.3, tiles)
    if "chimneys" in design.extras:
        chimneys(mesh, design, ridge, rng)


def dormer(mesh: Mesh, x: float, y: float, z: float, high: float, tiles: Look) -> None:
    """A small window that stands out of a roof."""
    frame = Look(BUILDING, (0.78, 0.78, 0.75))
    mesh.box((x - 2.2, y - 0.62, z - 0.3), (x, y + 0.62, z + high), frame, top=tiles)
    glass = Look(BUILDING, (0.03, 0.035, 0.04), gloss=0.9)
    f = x + 0.01
    for a, b in ((y - 0.5, y - 0.04), (y + 0.04, y + 0.5)):
        mesh.quads([[(f, a, z + 0.1), (f, b, z + 0.1), (f, b, z + high - 0.12), (f, a, z + high - 0.12)]], glass)
    mesh.box((x - 2.2, y - 0.75, z + high), (x + 0.18, y + 0.75, z + high + 0.1), tiles, bottom=True)


def chimneys(mesh: Mesh, design: Design, ridge: float, rng: np.random.Generator) -> None:
    """One or two brick stacks with pots."""
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        y, x = side * (design.width / 2 - 0.8), rng.uniform(-0.8, 0.8)
        mesh.box((x - 0.3, y - 0.5, ridge - 1.6), (x + 0.3, y + 0.5, ridge + 0.9), Look(BUILDING, texture="brick"), 0.2)
        for dy in (-0.25, 0.25):
            mesh.tube((x, y + dy, ridge + 0.9), (x, y + dy, ridge + 1.25), 0.12, None, Look(BUILDING, (0.42, 0.18, 0.11)), 6)


def bay_windows(mesh: Mesh, design: Design, base: float, rng: np.random.Generator, wall: Look) -> None:
    """A glazed bay over two or more storeys."""
    x, storeys = design.depth / 2, min(design.storeys, int(rng.integers(2, 4)))
    y = -design.width / 2 + (rng.integers(design.bays[0]) + 0.5) * BAY
    low, high, out, half = base + 0.02, base + storeys * STOREY - 0.3, 0.75, 1.25
    front, side = x + out, half + 0.3
    uv = UNIT * [0.25, storeys / 4]
    faces = [[(front, y - half, low), (front, y + half, low), (front, y + half, high), (front, y - half, high)]]
    mesh.quads(faces, wall, uv)
    slanted = [[(x, y - side, low), (front, y - half, low), (front, y - half, high), (x, y - side, high)],
               [(front, y + half, low), (x, y + side, low), (x, y + side, high), (front, y + half, high)]]  # fmt: skip
    mesh.quads(slanted, Look(BUILDING, tuple(0.9 * c for c in design.colour), "plaster"))
    lid = Look(BUILDING, (0.30, 0.31, 0.32))
    for z in (low, high):
        mesh.box((x - 0.1, y - side, z - 0.08), (front + 0.08, y + side, z + 0.08), lid, bottom=True)


def balconies(mesh: Mesh, design: Design, base: float, rng: np.random.Generator) -> None:
    """Slabs with railings on some of the bays."""
    x, half = design.depth / 2, design.width / 2
    columns = [i for i in range(design.bays[0]) if (i + rng.integers(2)) % 2 == 0]
    slab = Look(BUILDING, (0.66, 0.65, 0.62), "concrete")
    solid = rng.random() < 0.4
    front = Look(BUILDING, RENDER[rng.integers(len(RENDER))], flags=TWO_SIDED) if solid else RAIL
    for storey in range(1 if not base else 0, design.storeys):
        z = base + storey * STOREY + 0.02
        for i in columns:
            y0, y1 = -half + i * BAY + 0.35, -half + (i + 1) * BAY - 0.35
            mesh.box((x, y0, z - 0.16), (x + 1.15, y1, z), slab, 0.3, bottom=True)
            f, top = x + 1.12, z + 1.0
            mesh.quads([[(f, y0, z), (f, y1, z), (f, y1, top), (f, y0, top)]], front, UNIT * [2.0, 1.0])
            for y in (y0, y1):
                mesh.quads([[(x, y, z), (f, y, z), (f, y, top), (x, y, top)]], front, UNIT)


def garage(rng: np.random.Generator) -> Triangles:
    """A single garage, its door along x."""
    mesh = Mesh()
    wall = Look(BUILDING, RENDER[rng.integers(len(RENDER))], "plaster")
    mesh.box((-3.0, -1.7, 0), (3.0, 1.7, 2.7), wall, 0.3, top=Look(BUILDING, (0.4, 0.4, 0.4), "concrete"))
    mesh.quads([[(3.02, -1.35, 0.02), (3.02, 1.35, 0.02), (3.02, 1.35, 2.2), (3.02, -1.35, 2.2)]],
               Look(BUILDING, DOORS[rng.integers(len(DOORS))], "garage"))  # fmt: skip
    mesh.box((-3.1, -1.8, 2.7), (3.15, 1.8, 2.85), Look(BUILDING, (0.3, 0.3, 0.31)), bottom=True)
    return mesh.build()


def skyline_block(rng: np.random.Generator) -> Triangles:
    """A simple far-away building, its middle at the origin."""
    mesh = Mesh()
    bays, storeys = int(rng.integers(3, 9)), int(rng.integers(3, 14))
    facade = str(rng.choice(["facade plaster", "facade block", "facade ribbon", "facade brick"]))
    design = Design(facade, RENDER[rng.integers(len(RENDER))], (bays, int(rng.integers(3, 6))), storeys, "flat")
    wall = Look(BUILDING, design.colour, facade, WINDOWS | NO_SHADOW, gloss=0.6)
    for side in range(4):
        storey_wall(mesh, design, side, 0.0, storeys * STOREY, wall, rng.integers(0, 16, 2) / 4.0)
    x, y, top = design.depth / 2, design.width / 2, storeys * STOREY
    mesh.box((-x, -y, top), (x, y, top + 0.5), Look(BUILDING, (0.4, 0.4, 0.4), "concrete", NO_SHADOW), 0.3)
    return mesh.build()


ROOFS = {"flat": flat_roof, "gable": gable_roof, "hip": hip_roof, "mansard": mansard_roof}
