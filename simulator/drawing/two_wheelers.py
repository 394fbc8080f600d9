"""Motorcycles and bicycles, with or without a rider. x points forward; the wheels are in the plane y = 0."""

from __future__ import annotations

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.cars import BRAKE, LIGHTS_ON
from simulator.drawing.mesh import BICYCLE, MOTORCYCLE, PAINT, RIDER, TWO_SIDED, Look, Mesh, Triangles
from simulator.drawing.people import Point, rider

BLACK, CHROME = (0.018, 0.018, 0.02), (0.45, 0.46, 0.48)


def spoked_wheel(mesh: Mesh, x: float, radius: float, thickness: float, label: int, spokes: int) -> None:
    """Add a wheel with a round tyre in the plane y = 0.

    x: its middle. thickness: radius of the tyre's cross-section, metres. label: CARLA label id. spokes: their number.
    """
    count, sides = mesh.segments(20, 8), mesh.segments(5, 3)
    angles, around = np.linspace(0, 2 * np.pi, count + 1)[:, None], np.linspace(0, 2 * np.pi, sides + 1)[None]
    reach = radius - thickness + thickness * np.cos(around)
    tyre = np.stack(
        [x + reach * np.cos(angles), -thickness * np.sin(around) + 0 * angles, radius + reach * np.sin(angles)], -1
    )
    mesh.grid(tyre, Look(label, BLACK, flags=TWO_SIDED))
    metal = Look(label, CHROME, gloss=0.4)
    for angle in np.arange(spokes if mesh.detail > 0.4 else 0) * 2 * np.pi / spokes:
        rim = (x + (radius - thickness) * np.cos(angle), 0.0, radius + (radius - thickness) * np.sin(angle))
        mesh.tube((x, 0, radius), rim, 0.006 if label == BICYCLE else 0.016, None, metal, 3, caps=False)
    mesh.tube((x, -0.05, radius), (x, 0.05, radius), 0.035, None, metal, 6)


def bicycle(type_id: str, ridden: bool, detail: float = 1.0) -> Triangles:
    """Build a bicycle of the catalogue; the frame depends on the model."""
    half_length = CATALOGUE[type_id].extent[0]
    mesh, radius = Mesh(detail), 0.34
    rear, front = -half_length + radius, half_length - radius  # x of the axles
    is_upright = type_id.endswith("omafiets")
    for axle in (rear, front):
        spoked_wheel(mesh, axle, radius, 0.026, BICYCLE, 10 if detail > 0.7 else 4)
    crank, seat = (rear + 0.44, 0.0, 0.29), (rear + 0.27, 0.0, 0.92)
    head, bars = (front - 0.15, 0.0, 0.82), (front - 0.22, 0.0, 1.10 if is_upright else 1.0)
    rear_hub, front_hub = (rear, 0.0, radius), (front, 0.0, radius)
    for a, b in (
        (crank, seat),
        (rear_hub, crank),
        (rear_hub, (seat[0] + 0.03, 0, 0.78)),
        (crank, head),
        ((seat[0] + 0.04, 0, 0.45 if is_upright else 0.80), head),
        (front_hub, head),
        (head, bars),
    ):
        mesh.tube(a, b, 0.022, None, Look(BICYCLE, flags=PAINT, gloss=0.4), 6)
    half_width = 0.31 if is_upright else 0.25  # of the handlebars
    bicycle_fittings(mesh, crank, seat, bars, half_width)
    mesh.box(
        (rear - 0.03, -0.03, 0.62),
        (rear + 0.02, 0.03, 0.68),
        Look(BICYCLE, (0.5, 0.015, 0.018), glow=2.0, lamp=LIGHTS_ON),
    )
    if ridden:
        cloth = {
            "vehicle.bh.crossbike": (0.55, 0.16, 0.02),
            "vehicle.diamondback.century": (0.03, 0.20, 0.42),
        }
        rider(
            mesh,
            RIDER,
            hips=(seat[0], 0, 1.0),
            hands=(bars[0] - 0.1, half_width, bars[2] + 0.02),
            pedal=(crank[0], 0.10, crank[2] + 0.05),
            helmet=(0.7, 0.7, 0.68),
            cloth=cloth.get(type_id, (0.20, 0.05, 0.08)),
            lean=0.14 if is_upright else 0.27,
        )
    return mesh.build()


def bicycle_fittings(mesh: Mesh, crank: Point, seat: Point, bars: Point, half_width: float) -> None:
    """Add handlebars, saddle, chainring and pedal arms. half_width: of the handlebars."""
    dark = Look(BICYCLE, BLACK)
    mesh.path(
        [
            (bars[0] - 0.12, -half_width, bars[2]),
            (bars[0], -0.1, bars[2]),
            (bars[0], 0.1, bars[2]),
            (bars[0] - 0.12, half_width, bars[2]),
        ],
        0.018,
        dark,
    )
    mesh.ball((seat[0] - 0.02, 0, seat[2] + 0.03), (0.14, 0.075, 0.03), dark, 8, 4)
    mesh.tube((crank[0], -0.03, crank[2]), (crank[0], 0.03, crank[2]), 0.09, None, dark, 10)
    for side in (-1, 1):
        mesh.tube(crank, (crank[0] + 0.12 * side, 0.09 * side, crank[2] + 0.1 * side), 0.014, None, dark, 4)


def motorcycle(type_id: str, ridden: bool, detail: float = 1.0) -> Triangles:
    """Build a motorcycle or a scooter of the catalogue."""
    half_length = CATALOGUE[type_id].extent[0]
    is_scooter = "vespa" in type_id
    radius = 0.24 if is_scooter else 0.31
    mesh = Mesh(detail)
    rear, front = -half_length + radius + 0.06, half_length - radius - 0.02  # x of the axles
    dark, chrome = Look(MOTORCYCLE, BLACK), Look(MOTORCYCLE, CHROME, gloss=0.7)
    for axle in (rear, front):
        spoked_wheel(mesh, axle, radius, 0.06, MOTORCYCLE, 6)
    bars = (front - 0.32, 0.0, 1.02)
    for side in (-1, 1):  # fork, handlebars, mirrors
        mesh.tube((front, 0.08 * side, radius), (bars[0] + 0.04, 0.08 * side, 0.92), 0.025, None, chrome, 6)
        mesh.tube((bars[0], 0, bars[2]), (bars[0] - 0.13, 0.34 * side, bars[2] + 0.02), 0.018, None, dark, 5)
        mesh.ball((bars[0] - 0.02, 0.30 * side, bars[2] + 0.14), (0.03, 0.06, 0.045), dark, 6, 4)
    if is_scooter:
        scooter_body(mesh, rear, front, radius)
    else:
        motorcycle_body(mesh, rear, front, radius)
    mesh.ball((rear + 0.26, 0, 0.84 if is_scooter else 0.86), (0.38, 0.14, 0.07), dark, 10, 5)  # saddle
    lamps_and_plate(mesh, rear, front)
    if ridden:
        rider(
            mesh,
            RIDER,
            hips=(rear + 0.30, 0, 0.95),
            hands=(bars[0] - 0.12, 0.33, bars[2] + 0.03),
            pedal=(0.08, 0.19, 0.36),
            helmet=(0.06, 0.06, 0.07) if "harley" in type_id else (0.55, 0.55, 0.52),
            cloth=(0.03, 0.03, 0.035) if "harley" in type_id else (0.30, 0.05, 0.04),
            lean=0.12 if is_scooter else 0.22,
        )
    return mesh.build()


def scooter_body(mesh: Mesh, rear: float, front: float, radius: float) -> None:
    """Add a scooter's rear body, footboard, leg shield and front mudguard between the axles at x = rear and front.

    radius: of the wheels.
    """
    paint = Look(MOTORCYCLE, flags=PAINT, gloss=0.7)
    mesh.ball((rear + 0.12, 0, 0.50), (0.46, 0.20, 0.24), paint, 12, 8)
    mesh.box((rear + 0.35, -0.16, 0.24), (front - 0.2, 0.16, 0.30), paint, bottom=True)
    mesh.ball((front - 0.22, 0, 0.62), (0.10, 0.24, 0.36), paint, 10, 8)
    mesh.ball((front, 0, radius + 0.14), (0.27, 0.10, 0.14), paint, 10, 6)


def motorcycle_body(mesh: Mesh, rear: float, front: float, radius: float) -> None:
    """Add engine, tank, fairing, front mudguard, tail, exhaust and swing arm between the axles at x = rear and front.

    radius: of the wheels.
    """
    paint, dark = Look(MOTORCYCLE, flags=PAINT, gloss=0.7), Look(MOTORCYCLE, BLACK)
    chrome = Look(MOTORCYCLE, CHROME, gloss=0.7)
    mesh.ball((0.02, 0, 0.50), (0.30, 0.16, 0.22), Look(MOTORCYCLE, (0.10, 0.10, 0.11), gloss=0.5), 10, 7)
    mesh.ball((0.16, 0, 0.82), (0.32, 0.15, 0.14), paint, 12, 8)
    mesh.ball((front - 0.24, 0, 0.80), (0.22, 0.17, 0.22), paint, 10, 7)
    mesh.ball((front, 0, radius + 0.20), (0.26, 0.07, 0.12), paint, 10, 6)
    mesh.ball((rear - 0.02, 0, 0.80), (0.24, 0.10, 0.09), paint, 10, 6)
    mesh.tube((0.0, -0.17, 0.33), (rear - 0.20, -0.19, 0.42), 0.05, 0.06, chrome, 8)
    mesh.tube((0.05, 0, 0.42), (rear, 0, radius), 0.05, None, dark, 6)


def lamps_and_plate(mesh: Mesh, rear: float, front: float) -> None:
    """Add headlight, tail lamp, brake light and number plate. rear, front: x of the axles."""
    mesh.ball(
        (front - 0.07, 0, 0.86),
        (0.06, 0.10, 0.09),
        Look(MOTORCYCLE, (0.65, 0.67, 0.7), gloss=0.8, glow=5.0, lamp=LIGHTS_ON),
        8,
        6,
    )
    red = Look(MOTORCYCLE, (0.45, 0.015, 0.018), glow=1.6, lamp=LIGHTS_ON)
    mesh.box((rear - 0.27, -0.07, 0.78), (rear - 0.21, 0.07, 0.85), red)
    mesh.box((rear - 0.28, -0.06, 0.86), (rear - 0.22, 0.06, 0.90), red.replace(glow=6.0, lamp=BRAKE))
    mesh.quads(
        [
            [
                (rear - 0.25, 0.11, 0.60),
                (rear - 0.25, -0.11, 0.60),
                (rear - 0.25, -0.11, 0.70),
                (rear - 0.25, 0.11, 0.70),
            ]
        ],
        Look(MOTORCYCLE, (0.85, 0.85, 0.82), "plate"),
        np.array([(1, 0.25), (0, 0.25), (0, 0), (1, 0)]),
    )
