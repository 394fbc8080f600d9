"""Street furniture: lamps, traffic lights, signs, benches, bins, shelters, hydrants and more.

Every model stands on z = 0 at the origin. detail: see `mesh.Mesh`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from simulator.drawing.emblems import SPEEDS
from simulator.drawing.mesh import (
    CUTOUT,
    DYNAMIC,
    NO_SHADOW,
    PAINT,
    POLE,
    STATIC,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    TWO_SIDED,
    UNIT,
    VEGETATION,
    Look,
    Mesh,
    Triangles,
)

RED, YELLOW, GREEN = 1, 2, 4  # light bits of a traffic light
STATES = {"red": RED, "yellow": YELLOW, "green": GREEN, "off": 0, "unknown": 0}
LAMP_ON = 1  # light bit of a street lamp
STEEL = Look(POLE, (0.20, 0.21, 0.21), gloss=0.15)
GALVANISED = Look(POLE, (0.42, 0.43, 0.43), gloss=0.15)
IRON = Look(STATIC, (0.03, 0.035, 0.035), gloss=0.1)
PLANK = Look(STATIC, (0.62, 0.46, 0.32), "wood")
LAMP_HEAD = (2.15, 0.0, 7.35)  # metres from the lamp's foot; the arm reaches along x


def lamp_post(detail: float) -> Triangles:
    """Build a street lamp whose arm reaches along x."""
    mesh = Mesh(detail)
    mesh.tube((0, 0, 0), (0, 0, 1.1), 0.11, 0.10, STEEL, 8)
    mesh.tube((0, 0, 1.1), (0, 0, 7.0), 0.07, 0.05, STEEL, 8)
    arm = [(0, 0, 7.0), (0.25, 0, 7.3), (0.8, 0, 7.45), (1.7, 0, 7.5)]
    mesh.path(arm, 0.042, STEEL, 6)
    mesh.box((1.6, -0.13, 7.44), (2.45, 0.13, 7.54), STEEL)
    glass = Look(POLE, (1.0, 0.80, 0.52), glow=9.0, lamp=LAMP_ON)
    mesh.quads([[(1.65, 0.11, 7.435), (2.4, 0.11, 7.435), (2.4, -0.11, 7.435), (1.65, -0.11, 7.435)]], glass)
    return mesh.build()


def signal_head(mesh: Mesh, at: tuple[float, float, float]) -> None:
    """Add a traffic light that faces x; `at` is the middle of its back."""
    x, y, z = at
    case = Look(TRAFFIC_LIGHT, (0.025, 0.028, 0.028), gloss=0.1)
    mesh.box((x, y - 0.16, z - 0.48), (x + 0.22, y + 0.16, z + 0.48), case, bottom=True)
    mesh.box((x - 0.015, y - 0.25, z - 0.58), (x + 0.005, y + 0.25, z + 0.58), case, bottom=True)
    lenses = (  # height above the middle, colour, light bit
        (0.30, (0.95, 0.03, 0.02), RED),
        (0.0, (1.0, 0.50, 0.03), YELLOW),
        (-0.30, (0.04, 0.85, 0.30), GREEN),
    )
    for offset, colour, bit in lenses:
        dim = tuple(0.05 * c for c in colour)
        off = Look(TRAFFIC_LIGHT, dim, gloss=0.2)
        on = Look(TRAFFIC_LIGHT, dim, glow=63.0, lamp=bit)
        front = x + 0.22
        mesh.tube((front - 0.02, y, z + offset), (front + 0.012, y, z + offset), 0.118, None, off, 12)
        disc(mesh, (front + 0.016, y, z + offset), 0.112, on)
        hood = np.linspace(-0.1 * np.pi, 1.1 * np.pi, mesh.segments(9, 5))
        arc = np.stack([np.zeros_like(hood), y + 0.135 * np.cos(hood), z + offset + 0.135 * np.sin(hood)], axis=1)
        mesh.grid(arc + np.array([[[front + 0.17, 0, 0]], [[front, 0, 0]]]), case.replace(flags=TWO_SIDED | NO_SHADOW))


def disc(mesh: Mesh, at: tuple[float, float, float], radius: float, look: Look) -> None:
    """Add a round plate that faces x."""
    x, y, z = at
    angle = np.linspace(0, 2 * np.pi, mesh.segments(14, 8) + 1)
    rim = np.stack([np.full_like(angle, x), y + radius * np.cos(angle), z + radius * np.sin(angle)], axis=1)
    hub = np.broadcast_to(np.array(at), (len(angle) - 1, 3))
    mesh.triangles(np.stack([hub, rim[:-1], rim[1:]], axis=1), look)


def traffic_light(detail: float, reach: float) -> Triangles:
    """Build a pole with a signal head that faces x.

    A second head hangs from a mast arm that reaches `reach` metres along y; 0: no arm.
    """
    mesh = Mesh(detail)
    height = 6.0 if reach else 3.4
    mesh.tube((0, 0, 0), (0, 0, 0.5), 0.13, 0.12, STEEL, 8)
    mesh.tube((0, 0, 0.5), (0, 0, height), 0.085, 0.065, STEEL, 8)
    signal_head(mesh, (0.08, 0.0, 2.75))
    if reach:
        mesh.path([(0, 0, height - 0.25), (0, reach * 0.15, height + 0.05), (0, reach, height + 0.12)], 0.05, STEEL, 7)
        signal_head(mesh, (0.06, reach - 0.25, height - 0.3))
        mesh.tube((0, reach - 0.25, height - 0.2), (0, reach - 0.25, height + 0.1), 0.03, None, STEEL, 5)
    button_box = Look(STATIC, (0.62, 0.50, 0.05))
    mesh.box((-0.06, -0.12, 1.0), (0.14, 0.12, 1.28), button_box, bottom=True)
    return mesh.build()


def sign(detail: float, texture: str, height: float = 2.35, half: float = 0.36) -> Triangles:
    """Build a traffic sign on a pole, facing x.

    texture: of the plate; its alpha is the plate's outline. height: of the plate's centre. half: half the plate's side.
    """
    mesh = Mesh(detail)
    mesh.tube((0, 0, 0), (0, 0, height + half), 0.034, None, GALVANISED, 6)
    face = Look(TRAFFIC_SIGN, texture=texture, flags=CUTOUT, gloss=0.0)
    x = 0.045
    mesh.quads(
        [[(x, -half, height - half), (x, half, height - half), (x, half, height + half), (x, -half, height + half)]],
        face,
    )
    back = face.replace(colour=(0.045, 0.045, 0.048))
    x = 0.04
    mesh.quads(
        [[(x, half, height - half), (x, -half, height - half), (x, -half, height + half), (x, half, height + half)]],
        back,
        UNIT[[1, 0, 3, 2]],
    )
    return mesh.build()


def bench(detail: float) -> Triangles:
    """Build a wooden bench that faces x."""
    mesh = Mesh(detail)
    for y in (-0.72, 0.72):
        mesh.box((-0.22, y - 0.03, 0), (0.22, y + 0.03, 0.44), IRON)
        mesh.box((-0.28, y - 0.03, 0.4), (-0.22, y + 0.03, 0.86), IRON)
    for i in range(4):
        mesh.box((-0.2 + i * 0.11, -0.9, 0.44), (-0.11 + i * 0.11, 0.9, 0.475), PLANK, bottom=True)
    for i in range(3):
        mesh.box((-0.24, -0.9, 0.54 + i * 0.12), (-0.205, 0.9, 0.63 + i * 0.12), PLANK, bottom=True)
    return mesh.build()


def litter_bin(detail: float) -> Triangles:
    """Build a litter bin on a foot."""
    mesh, green = Mesh(detail), Look(STATIC, (0.03, 0.12, 0.07), gloss=0.2)
    mesh.tube((0, 0, 0), (0, 0, 0.12), 0.20, None, IRON, 10)
    mesh.tube((0, 0, 0.12), (0, 0, 0.88), 0.25, 0.28, green, 12)
    mesh.tube((0, 0, 0.93), (0, 0, 1.0), 0.30, 0.22, IRON, 12)
    return mesh.build()


def wheelie_bin(detail: float) -> Triangles:
    """Build a household bin on wheels; labelled dynamic because it can be moved."""
    mesh = Mesh(detail)
    body = Look(DYNAMIC, flags=PAINT, gloss=0.15)
    low, high = 0.05, 0.95
    outlines = [np.array([(-a, -b), (a, -b), (a, b), (-a, b), (-a, -b)]) for a, b in ((0.22, 0.22), (0.29, 0.28))]
    rows = [np.column_stack([outline, np.full(5, z)]) for outline, z in zip(outlines, (low, high), strict=True)]
    for i in range(4):
        mesh.quads([[rows[0][i], rows[0][i + 1], rows[1][i + 1], rows[1][i]]], body)
    mesh.box((-0.33, -0.30, high), (0.33, 0.30, high + 0.06), body, bottom=True)
    for y in (-0.2, 0.2):
        mesh.tube((-0.24, y - 0.04, 0.1), (-0.24, y + 0.04, 0.1), 0.1, None, Look(DYNAMIC, (0.02, 0.02, 0.02)), 8)
    return mesh.build()


def cone(detail: float) -> Triangles:
    """Build a traffic cone."""
    mesh = Mesh(detail)
    orange, pale = Look(DYNAMIC, (0.85, 0.16, 0.02)), Look(DYNAMIC, (0.85, 0.85, 0.82))
    mesh.box((-0.2, -0.2, 0), (0.2, 0.2, 0.04), orange)
    for z0, z1, look in ((0.04, 0.24, orange), (0.24, 0.40, pale), (0.40, 0.70, orange)):
        mesh.tube((0, 0, z0), (0, 0, z1), 0.15 - 0.165 * z0, 0.15 - 0.165 * z1, look, 10)
    return mesh.build()


def hydrant(detail: float) -> Triangles:
    """Build a fire hydrant."""
    mesh, red = Mesh(detail), Look(STATIC, (0.55, 0.03, 0.02), gloss=0.3)
    mesh.tube((0, 0, 0), (0, 0, 0.07), 0.17, None, red, 10)
    mesh.tube((0, 0, 0.07), (0, 0, 0.56), 0.11, None, red, 10)
    mesh.ball((0, 0, 0.58), (0.135, 0.135, 0.12), red, 10, 6)
    mesh.tube((0, -0.19, 0.42), (0, 0.19, 0.42), 0.06, None, red, 8)
    return mesh.build()


def post_box(detail: float) -> Triangles:
    """Build a post box."""
    mesh, yellow = Mesh(detail), Look(STATIC, (0.75, 0.45, 0.02), gloss=0.3)
    mesh.box((-0.05, -0.05, 0), (0.05, 0.05, 0.7), IRON)
    mesh.box((-0.18, -0.26, 0.7), (0.18, 0.26, 1.38), yellow, bottom=True)
    mesh.box((0.17, -0.18, 1.16), (0.185, 0.18, 1.2), IRON)
    return mesh.build()


def bollard(detail: float) -> Triangles:
    """Build a short post that keeps cars off the sidewalk."""
    mesh = Mesh(detail)
    mesh.tube((0, 0, 0), (0, 0, 0.85), 0.07, 0.06, Look(STATIC, (0.05, 0.055, 0.06), gloss=0.2), 8)
    mesh.tube((0, 0, 0.70), (0, 0, 0.78), 0.073, None, Look(STATIC, (0.75, 0.75, 0.72)), 8)
    return mesh.build()


def cabinet(detail: float) -> Triangles:
    """Build a grey telephone cabinet."""
    mesh, grey = Mesh(detail), Look(STATIC, (0.36, 0.39, 0.36), "concrete", gloss=0.1)
    mesh.box((-0.2, -0.55, 0), (0.2, 0.55, 1.25), grey)
    mesh.box((-0.22, -0.58, 1.25), (0.22, 0.58, 1.3), grey, bottom=True)
    mesh.quads([[(0.204, -0.005, 0.1), (0.204, 0.005, 0.1), (0.204, 0.005, 1.2), (0.204, -0.005, 1.2)]], IRON)
    return mesh.build()


def bus_shelter(detail: float) -> Triangles:
    """Build a glazed bus shelter, open towards x, with a poster at one end and a bench."""
    mesh = Mesh(detail)
    glass = Look(STATIC, (0.16, 0.20, 0.21), gloss=0.9, flags=TWO_SIDED | NO_SHADOW)
    for y in (-1.95, -0.65, 0.65, 1.95):
        mesh.box((-0.66, y - 0.035, 0), (-0.59, y + 0.035, 2.4), IRON)
        if y < 1.9:
            x = -0.625
            mesh.quads([[(x, y, 0.15), (x, y + 1.3, 0.15), (x, y + 1.3, 2.1), (x, y, 2.1)]], glass)
    mesh.box((-0.75, -2.1, 2.4), (0.75, 2.1, 2.5), IRON, bottom=True)
    poster = Look(STATIC, texture="posters", glow=0.35)
    mesh.box((-0.6, 1.9, 0.25), (0.5, 2.0, 2.2), IRON)
    face = UNIT * [0.5, 0.5]
    mesh.quads([[(-0.5, 1.895, 0.4), (0.4, 1.895, 0.4), (0.4, 1.895, 2.05), (-0.5, 1.895, 2.05)]], poster, face)
    mesh.quads(
        [[(0.4, 2.005, 0.4), (-0.5, 2.005, 0.4), (-0.5, 2.005, 2.05), (0.4, 2.005, 2.05)]],
        poster,
        face + np.array([0.5, 0]),
    )
    mesh.box((-0.55, -1.7, 0.44), (-0.2, 0.9, 0.49), PLANK, bottom=True)
    return mesh.build()


def poster_column(detail: float) -> Triangles:
    """Build a round column with posters."""
    mesh = Mesh(detail)
    mesh.tube((0, 0, 0), (0, 0, 0.25), 0.62, None, Look(STATIC, (0.30, 0.30, 0.30), "concrete"), 14)
    mesh.tube((0, 0, 0.25), (0, 0, 2.7), 0.55, None, Look(STATIC, texture="posters"), 16, repeat=(-2, -0.4))
    mesh.tube((0, 0, 2.7), (0, 0, 2.9), 0.66, 0.5, Look(STATIC, (0.04, 0.10, 0.06)), 14)
    return mesh.build()


def cafe_table(detail: float) -> Triangles:
    """Build a table with two chairs; labelled dynamic because they can be moved."""
    mesh = Mesh(detail)
    metal, top = Look(DYNAMIC, (0.10, 0.10, 0.10)), Look(DYNAMIC, (0.62, 0.44, 0.28), "wood")
    mesh.tube((0, 0, 0), (0, 0, 0.72), 0.03, None, metal, 5)
    mesh.tube((0, 0, 0.72), (0, 0, 0.75), 0.36, None, top, 12)
    for y in (-0.62, 0.62):
        outwards = np.sign(y)
        mesh.box((-0.2, y - 0.2, 0.42), (0.2, y + 0.2, 0.46), Look(DYNAMIC, flags=PAINT), bottom=True)
        y0, y1 = sorted((y + outwards * 0.16, y + outwards * 0.2))
        mesh.box((-0.2, y0, 0.46), (0.2, y1, 0.88), Look(DYNAMIC, flags=PAINT), bottom=True)
        for dx in (-0.17, 0.17):
            for dy in (-0.17, 0.17):
                mesh.tube((dx, y + dy, 0), (dx, y + dy, 0.43), 0.015, None, metal, 4, caps=False)
    return mesh.build()


def planter(detail: float) -> Triangles:
    """Build a tub with a small shrub."""
    mesh = Mesh(detail)
    mesh.box((-0.35, -0.35, 0), (0.35, 0.35, 0.55), Look(STATIC, (0.52, 0.50, 0.47), "concrete"))
    mesh.ball((0, 0, 0.78), (0.36, 0.36, 0.34), Look(VEGETATION, (0.42, 0.52, 0.34), "hedge"), 10, 7)
    return mesh.build()


def power_pole(detail: float) -> Triangles:
    """Build a wooden pole with two cross-arms along y."""
    mesh = Mesh(detail)
    timber = Look(POLE, (0.55, 0.48, 0.42), "bark")
    mesh.tube((0, 0, 0), (0, 0, 8.6), 0.15, 0.10, timber, 8, repeat=(1, 0.3))
    for z in (7.6, 8.3):
        mesh.box((-0.06, -1.0, z), (0.06, 1.0, z + 0.1), timber, bottom=True)
        for y in (-0.9, -0.45, 0.45, 0.9):
            mesh.tube((0, y, z + 0.1), (0, y, z + 0.24), 0.035, None, Look(POLE, (0.5, 0.52, 0.5), gloss=0.4), 6)
    return mesh.build()


# builders of the models by name; each takes the level of detail
PROPS: dict[str, Callable[[float], Triangles]] = {
    "lamp": lamp_post,
    **{f"lights {reach}": partial(traffic_light, reach=float(reach)) for reach in range(0, 12)},
    **{f"sign speed {limit}": partial(sign, texture=f"speed {limit}") for limit in SPEEDS},
    "sign stop": partial(sign, texture="stop", half=0.40),
    "sign yield": partial(sign, texture="give way", half=0.44),
    "sign crossing": partial(sign, texture="crossing", half=0.33),
    "sign parking": partial(sign, texture="parking", half=0.27),
    "bench": bench,
    "litter": litter_bin,
    "bin": wheelie_bin,
    "cone": cone,
    "hydrant": hydrant,
    "post": post_box,
    "bollard": bollard,
    "cabinet": cabinet,
    "shelter": bus_shelter,
    "column": poster_column,
    "table": cafe_table,
    "planter": planter,
    "power": power_pole,
}
