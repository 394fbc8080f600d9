"""Trucks and buses. x points forward, y to the right; the origin is on the ground below the middle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.bodywork import BOXY, loft, wheel
from simulator.drawing.cars import BRAKE, LEFT_BLINKER, LIGHTS_ON, RIGHT_BLINKER, Finish, upright_quad
from simulator.drawing.mesh import BUS, PAINT, TRUCK, TWO_SIDED, UNIT, Look, Mesh, Triangles

Range = tuple[float, float]  # from, to; metres


def box_sides(mesh: Mesh, x: Range, half_width: float, z: Range, look: Look, lift: float = 0.012) -> None:
    """Add the same panel to the left and the right side of a box-shaped body.

    half_width: of the body. lift: metres from the body to the panel.
    """
    (x0, x1), (z0, z1), y = x, z, half_width + lift
    two_sided = look.replace(flags=look.flags | TWO_SIDED)
    mesh.quads([[(x1, -y, z0), (x0, -y, z0), (x0, -y, z1), (x1, -y, z1)][::-1]], two_sided)
    mesh.quads([[(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)][::-1]], two_sided)


def rounded_box(mesh: Mesh, x: Range, half_width: float, z: Range, look: Look, nose: float = 0.0) -> None:
    """Add a rounded box. nose: metres by which its upper front leans back."""
    (x0, x1), (z0, z1) = x, z
    rows = [
        (x1 - 0.05, half_width * 0.95, z0 + 0.04, z1 - 0.08 - nose * 0.4),
        (x1 - 0.16 - nose * 0.3, half_width * 0.99, z0, z1 - 0.02 - nose * 0.1),
        (x1 - 0.45 - nose, half_width, z0, z1),
        (x0 + 0.4, half_width, z0, z1),
        (x0 + 0.05, half_width * 0.985, z0 + 0.02, z1 - 0.03),
    ]
    loft(mesh, np.array(rows), look, BOXY)


def wheels(mesh: Mesh, axles: tuple[float, ...], half_width: float, radius: float, finish: Finish) -> None:
    """Add wheels and the dark wells behind them. axles: their x."""
    tyre = finish.dark.replace(colour=(0.03, 0.03, 0.032))
    for x in axles:
        for side in (-1, 1):
            y = side * (half_width - 0.16)
            mesh.tube(
                (x, y - side * 0.3, radius + 0.07),
                (x, side * (half_width + 0.008), radius + 0.07),
                radius + 0.06,
                radius + 0.06,
                finish.dark,
                16,
            )
            wheel(mesh, x, y + side * 0.04, radius, 0.30, tyre, finish.metal, finish.dark)


def box_lamps(mesh: Mesh, front: float, rear: float, half_width: float, finish: Finish) -> None:
    """Add the lamps and number plates of a box-shaped vehicle. front, rear: x of its ends."""
    low = 0.62  # height of the lower edge of the headlights
    headlight = finish.lamp((0.6, 0.63, 0.66), LIGHTS_ON, 5.0)
    tail_lamp = finish.lamp((0.42, 0.012, 0.016), LIGHTS_ON, 1.6)
    brake_light = finish.lamp((0.5, 0.015, 0.018), BRAKE, 6.0)
    for side, blinker in ((-1, LEFT_BLINKER), (1, RIGHT_BLINKER)):
        y0, y1 = sorted((side * (half_width - 0.12), side * (half_width - 0.46)))
        mesh.box((front - 0.1, y0, low), (front + 0.015, y1, low + 0.2), headlight)
        rear0, rear1 = sorted((side * (half_width - 0.06), side * (half_width - 0.28)))  # y of the rear lamps
        mesh.box((rear - 0.015, rear0, low + 0.1), (rear + 0.1, rear1, low + 0.36), tail_lamp)
        mesh.box((rear - 0.02, rear0, low + 0.38), (rear + 0.1, rear1, low + 0.5), brake_light)
        mesh.box(
            (rear - 0.02, rear0, low - 0.06),
            (rear + 0.1, rear1, low + 0.07),
            finish.lamp((0.55, 0.26, 0.03), blinker, 6.0),
        )
    uv = UNIT * [1, 0.25]  # the first of the four plates in the texture
    mesh.quads([upright_quad(front + 0.02, 0.26, low - 0.16, low - 0.05)], finish.plate, uv)
    mesh.quads([upright_quad(rear - 0.025, -0.26, low - 0.16, low - 0.05)], finish.plate, uv)


def truck(type_id: str, detail: float = 1.0) -> Triangles:
    """Build a truck of the catalogue: a cab in its own colour with a pale box behind it."""
    half_length, half_width, half_height = CATALOGUE[type_id].extent
    height, finish, mesh = 2 * half_height, Finish(TRUCK), Mesh(detail)
    front, rear, cab_length = half_length, -half_length, 2.1
    top = min(height - 0.35, 2.9)  # of the cab
    rounded_box(mesh, (front - cab_length, front), half_width - 0.08, (0.5, top), finish.paint, nose=0.05)
    pale = Look(TRUCK, (0.74, 0.74, 0.72), gloss=0.12)
    rounded_box(mesh, (rear, front - cab_length - 0.25), half_width, (0.95, height), pale)
    # chassis
    mesh.box((rear + 0.1, -half_width + 0.2, 0.55), (front - 0.4, half_width - 0.2, 0.96), finish.dark, bottom=True)
    band = Look(TRUCK, flags=PAINT, gloss=0.2)
    box_sides(mesh, (rear + 0.3, front - cab_length - 0.5), half_width, (1.3, 1.3 + 0.28 * height), band)
    # windscreen in its frame, sun visor, side windows, grille
    mesh.quads([upright_quad(front + 0.010, half_width - 0.26, top * 0.54, top * 0.88)], finish.dark)
    mesh.quads([upright_quad(front + 0.020, half_width - 0.32, top * 0.56, top * 0.86)], finish.glass)
    visor = (front - 0.3, -half_width + 0.2, top * 0.885), (front + 0.05, half_width - 0.2, top * 0.91)
    mesh.box(*visor, finish.paint, bottom=True)
    box_sides(mesh, (front - 1.5, front - 0.55), half_width - 0.08, (top * 0.55, top * 0.85), finish.glass)
    mesh.quads([upright_quad(front + 0.008, half_width - 0.5, 0.75, 1.2)], finish.dark)
    # gap between the rear doors
    mesh.quads([upright_quad(rear - 0.01, -0.012, 1.0, height - 0.1)], finish.dark)
    for side in (-1, 1):  # mirrors
        y0, y1 = sorted((side * (half_width - 0.04), side * (half_width + 0.14)))
        mesh.box((front - 0.5, y0, top * 0.6), (front - 0.4, y1, top * 0.82), finish.dark, bottom=True)
    axles = (front - 1.25, rear + 1.3, rear + 2.4) if half_length > 4 else (front - 1.2, rear + 1.4)
    wheels(mesh, axles, half_width - 0.03, 0.48, finish)
    box_lamps(mesh, front, rear, half_width, finish)
    return mesh.build()


def bus(type_id: str, detail: float = 1.0) -> Triangles:
    """Build a bus of the catalogue, with large windows, doors on the right and a destination board."""
    half_length, half_width, half_height = CATALOGUE[type_id].extent
    height, finish, mesh = 2 * half_height, Finish(BUS), Mesh(detail)
    front, rear = half_length, -half_length
    rounded_box(mesh, (rear, front), half_width, (0.32, height), finish.paint, nose=0.12)
    # chassis
    mesh.box((rear + 0.2, -half_width + 0.2, 0.25), (front - 0.2, half_width - 0.2, 0.6), finish.dark, bottom=True)
    low, high = height * 0.42, height * 0.82  # of the side windows
    count = max(4, round(half_length * 2 / 1.6))
    for x0, x1 in pairwise(np.linspace(rear + 0.5, front - 1.3, count + 1)):
        box_sides(mesh, (x0 + 0.05, x1 - 0.05), half_width, (low, high), finish.glass)
    # the dark band that frames them
    box_sides(mesh, (rear + 0.45, front - 1.25), half_width, (low - 0.05, high + 0.05), finish.dark, 0.006)
    pale = Look(BUS, (0.78, 0.78, 0.76), gloss=0.5)
    box_sides(mesh, (rear + 0.3, front - 0.5), half_width, (0.40, 0.62), pale)
    for x in (front - 0.9, 0.2):
        bus_door(mesh, x, half_width, high, finish)
    # windscreen, rear window
    mesh.quads([upright_quad(front + 0.004, half_width - 0.15, 1.05, height * 0.80)], finish.glass)
    mesh.quads([upright_quad(rear - 0.008, -half_width + 0.3, height * 0.5, height * 0.8)], finish.glass)
    board = Look(BUS, (1.0, 1.0, 1.0), "destination", glow=1.4)
    face = upright_quad(front + 0.01, half_width - 0.35, height * 0.815, height * 0.90)
    mesh.quads([face], board, UNIT * [1, 0.24] + [0, 0.13])
    axles = (front - 1.9, rear + 2.3) if half_length > 4.5 else (front - 1.3, rear + 1.5)
    wheels(mesh, axles, half_width, 0.47, finish)
    for side in (-1, 1):  # mirrors
        y0, y1 = sorted((side * (half_width + 0.02), side * (half_width + 0.16)))
        mesh.box((front - 0.15, y0, height * 0.55), (front - 0.05, y1, height * 0.72), finish.dark, bottom=True)
    box_lamps(mesh, front, rear, half_width, finish)
    return mesh.build()


def bus_door(mesh: Mesh, x: float, half_width: float, high: float, finish: Finish) -> None:
    """Add a glazed double door on the right side of a bus. x: its middle. high: height of its upper edge."""
    y = half_width + 0.016
    mesh.quads(
        [[(x + 0.5, y, 0.42), (x - 0.5, y, 0.42), (x - 0.5, y, high), (x + 0.5, y, high)]],
        finish.glass.replace(flags=TWO_SIDED),
    )
    y += 0.01  # the gap between its halves
    mesh.quads(
        [[(x + 0.02, y, 0.42), (x - 0.02, y, 0.42), (x - 0.02, y, high), (x + 0.02, y, high)]],
        finish.dark.replace(flags=TWO_SIDED),
    )
