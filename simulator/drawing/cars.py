"""Cars: proportions, paint and lamps of the catalogue's cars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.bodywork import CAP, MIDDLE, Skin, greenhouse, loft, wheel
from simulator.drawing.mesh import CAR, PAINT, UNIT, LinearColour, Look, Mesh, Triangles

# bits of carla.VehicleLightState
POSITION, LOW_BEAM, HIGH_BEAM, BRAKE, RIGHT_BLINKER, LEFT_BLINKER, REVERSE = (1 << i for i in range(7))
LIGHTS_ON = POSITION | LOW_BEAM | HIGH_BEAM


@dataclass(frozen=True)
class Proportions:
    """Proportions of a car. Heights in metres; x as fractions of the half length, front positive.

    nose, cowl, deck: heights of the bonnet's front, of its rear and of the tail. belt: height of the side windows'
    foot. glass: x of the windscreen's foot, the roof's front, its rear and the rear window's foot. pillars: x of the
    middle pillars. wheel_radius: metres. taper: fraction by which the car narrows towards the roof. sill: height.
    """

    nose: float
    cowl: float
    deck: float
    belt: float
    glass: tuple[float, float, float, float]
    pillars: tuple[float, ...]
    wheel_radius: float = 0.33
    taper: float = 0.24
    sill: float = 0.21


# nose, cowl, deck, belt, glass, pillars, wheel_radius, taper, sill
SEDAN = Proportions(0.66, 0.90, 0.95, 0.88, (0.40, 0.04, -0.46, -0.80), (-0.10,))
HATCHBACK = Proportions(0.70, 0.93, 0.96, 0.90, (0.46, 0.12, -0.72, -0.97), (-0.14, -0.58), 0.31, 0.22)
COUPE = Proportions(0.62, 0.86, 0.93, 0.84, (0.32, -0.02, -0.38, -0.86), (-0.22,), 0.34, 0.27)
LARGE_SEDAN = Proportions(0.68, 0.92, 0.97, 0.90, (0.36, 0.03, -0.42, -0.72), (-0.12,))
OFF_ROAD = Proportions(0.92, 1.14, 1.14, 1.12, (0.34, 0.16, -0.88, -0.98), (-0.10, -0.52), 0.39, 0.14, 0.34)
VAN = Proportions(0.78, 1.06, 1.10, 1.02, (0.86, 0.62, -0.92, -0.99), (0.28, -0.34), 0.33, 0.15, 0.24)
PROPORTIONS: dict[str, Proportions] = {
    "vehicle.audi.a2": HATCHBACK,
    "vehicle.audi.tt": COUPE,
    "vehicle.chevrolet.impala": LARGE_SEDAN,
    "vehicle.citroen.c3": HATCHBACK,
    "vehicle.dodge.charger_2020": COUPE,
    "vehicle.jeep.wrangler_rubicon": OFF_ROAD,
    "vehicle.lincoln.mkz_2020": SEDAN,
    "vehicle.mercedes.coupe": COUPE,
    "vehicle.mini.cooper_s": HATCHBACK,
    "vehicle.nissan.patrol": OFF_ROAD,
    "vehicle.seat.leon": HATCHBACK,
    "vehicle.tesla.model3": SEDAN,
    "vehicle.toyota.prius": SEDAN,
    "vehicle.volkswagen.t2": VAN,
}


@dataclass(frozen=True)
class Finish:
    """The looks of a vehicle's parts. label: CARLA label id."""

    label: int

    @property
    def paint(self) -> Look:
        """Lacquer in the vehicle's colour."""
        return Look(self.label, flags=PAINT, gloss=0.75)

    @property
    def glass(self) -> Look:
        """Tinted windows."""
        return Look(self.label, (0.018, 0.022, 0.026), gloss=1.0)

    @property
    def dark(self) -> Look:
        """Tyres, grilles, seams, the underside."""
        return Look(self.label, (0.016, 0.016, 0.018))

    @property
    def metal(self) -> Look:
        """Rims and chrome."""
        return Look(self.label, (0.42, 0.43, 0.45), gloss=0.5)

    def lamp(self, colour: LinearColour, bits: int, glow: float) -> Look:
        """Return the look of a lamp that glows when one of the light bits is on. glow: see `Look`."""
        return Look(self.label, colour, gloss=0.8, lamp=bits, glow=glow)

    @property
    def plate(self) -> Look:
        """A number plate."""
        return Look(self.label, (0.85, 0.85, 0.82), "plate")


def car(type_id: str, detail: float = 1.0) -> Triangles:
    """Build a car of the catalogue at a level of detail."""
    half_length, half_width, half_height = CATALOGUE[type_id].extent
    proportions, finish, mesh = PROPORTIONS[type_id], Finish(CAR), Mesh(detail)
    height = 2 * half_height
    # x of the skin's nose and y of its right side; lamps, plates and mirrors project beyond them
    skin_end, skin_side = half_length - 0.05, half_width - 0.06
    axles = (skin_end - 0.83 if proportions is not VAN else skin_end - 0.72, -skin_end + 0.80)
    skin = loft(
        mesh,
        car_stations(proportions, skin_end, skin_side),
        finish.paint,
        arches=axles,
        arch_radius=proportions.wheel_radius + 0.07,
        wheel_height=proportions.wheel_radius,
    )
    belt = proportions.belt - 0.04
    x = np.array(proportions.glass) * half_length
    profile = np.stack([x, [belt, height - 0.05, height - 0.075, belt]], axis=1)
    pillars = [pillar * half_length for pillar in proportions.pillars]
    greenhouse(mesh, profile, skin_side * 0.955, belt, proportions.taper, finish.paint, finish.glass, pillars)
    for axle in axles:
        for side in (-1, 1):
            y, radius = side * (skin_side - 0.125), proportions.wheel_radius
            wheel(mesh, axle, y, radius, 0.22, finish.dark, finish.metal, finish.dark)
    mesh.box(
        (-skin_end + 0.2, -skin_side + 0.24, proportions.sill - 0.02),
        (skin_end - 0.2, skin_side - 0.24, 0.62),
        finish.dark,
        bottom=True,
    )
    if detail > 0.4:
        lamps(mesh, skin, finish)
    else:
        coarse_lamps(mesh, half_length, skin_side, proportions, finish)
    nose_and_tail(mesh, half_length, proportions, finish)
    if detail > 0.7:
        trim(mesh, skin, proportions, half_length, skin_side, finish)
    return mesh.build()


def car_stations(proportions: Proportions, half_length: float, half_width: float) -> np.ndarray:
    """Return cross-sections (n, 4) of a skin from nose to tail: x, half width, bottom, top."""
    front_foot, rear_foot = proportions.glass[0] * half_length, proportions.glass[3] * half_length  # of the windows
    rows = [
        (half_length, 0.80, 0.30, proportions.nose - 0.06),
        (half_length - 0.10, 0.885, 0.25, proportions.nose),
        (half_length - 0.32, 0.955, 0.22, proportions.nose + 0.05),
        (
            (half_length * 0.8 + front_foot) / 2,
            0.99,
            proportions.sill,
            proportions.nose + 0.62 * (proportions.cowl - proportions.nose),
        ),
        (front_foot, 1.0, proportions.sill, proportions.cowl),
        (0.0, 1.0, proportions.sill, proportions.belt + 0.01),
        (rear_foot * 0.8, 0.995, proportions.sill, proportions.belt + 0.02),
        (-half_length + 0.32, 0.96, 0.24, proportions.deck),
        (-half_length + 0.10, 0.90, 0.27, proportions.deck - 0.02),
        (-half_length, 0.83, 0.32, proportions.deck - 0.09),
    ]
    return np.array(rows) * [1, half_width, 1, 1]


def lamps(mesh: Mesh, skin: Skin, finish: Finish) -> None:
    """Add headlights, tail lamps, brake lights and blinkers to the corners of a car's skin."""
    last = len(skin.points) - 1  # row; the rows within CAP of either end are the flat end faces
    headlight = finish.lamp((0.40, 0.42, 0.44), LIGHTS_ON, 7.0)
    tail_lamp = finish.lamp((0.42, 0.012, 0.016), LIGHTS_ON, 1.6)
    brake_light = finish.lamp((0.50, 0.015, 0.018), BRAKE, 6.0)
    skin.patch(mesh, (0.80, CAP + 1.5), (3.1, 4.45), headlight)
    skin.patch(mesh, (last - CAP - 1.6, last - 0.75), (3.0, 4.55), tail_lamp)
    skin.patch(mesh, (last - CAP - 0.3, last - 0.82), (3.2, 4.3), brake_light, 0.016)
    for column, blinker in ((2 * MIDDLE - 2.7, RIGHT_BLINKER), (2.7, LEFT_BLINKER)):
        for row in (CAP + 0.7, last - CAP - 0.7):
            x, y, z = skin.at(np.array([row]), np.array([column]))[0, 0]
            mesh.box(
                (x - 0.05, y - 0.02, z - 0.03),
                (x + 0.05, y + 0.02, z + 0.03),
                finish.lamp((0.55, 0.26, 0.03), blinker, 6.0),
            )


def coarse_lamps(mesh: Mesh, half_length: float, skin_side: float, proportions: Proportions, finish: Finish) -> None:
    """Add simplified lamps for a distant car: six plates, without blinkers."""
    headlight = finish.lamp((0.62, 0.65, 0.68), LIGHTS_ON, 5.0)
    tail_lamp = finish.lamp((0.42, 0.012, 0.016), LIGHTS_ON, 1.6)
    brake_light = finish.lamp((0.50, 0.015, 0.018), BRAKE, 6.0)
    for side in (-1, 1):
        y = side * skin_side * 0.66
        for x, z, half_width, looks in (
            (half_length + 0.01, proportions.nose - 0.10, 0.17, [headlight]),
            (-half_length - 0.01, proportions.deck - 0.22, -0.17, [tail_lamp, brake_light]),
        ):
            for k, look in enumerate(looks):
                corners = np.array(upright_quad(x + np.sign(x) * 0.01 * k, half_width, z - 0.09 + 0.04 * k, z + 0.09))
                corners[:, 1] += y
                mesh.quads([corners], look)


def nose_and_tail(mesh: Mesh, half_length: float, proportions: Proportions, finish: Finish) -> None:
    """Add grille, air intake, bumper strip and number plates."""
    front, rear = half_length + 0.006, -half_length - 0.006
    grille = proportions.nose - 0.16
    mesh.quads([upright_quad(front, 0.42, grille - 0.06, grille + 0.07)], finish.dark.replace(gloss=0.3))
    mesh.quads([upright_quad(front, 0.52, 0.335, 0.42)], finish.dark)  # air intake
    mesh.quads([upright_quad(rear, -0.50, 0.36, 0.44)], finish.dark)  # bumper strip
    offset = 0.25 * (round(proportions.nose * 100) % 4)  # the texture has four plates; pick one by the model
    uv = UNIT * [1, 0.25] + [0, offset]
    mesh.quads([upright_quad(front + 0.008, 0.26, 0.43, 0.54)], finish.plate, uv)
    mesh.quads([upright_quad(rear - 0.008, -0.26, 0.56, 0.67)], finish.plate, uv)


def upright_quad(x: float, half_width: float, low: float, high: float) -> list[tuple[float, float, float]]:
    """Return a quad across the vehicle at x; it faces forward if `half_width` is positive and backward if negative."""
    return [(x, -half_width, low), (x, half_width, low), (x, half_width, high), (x, -half_width, high)]


def trim(
    mesh: Mesh, skin: Skin, proportions: Proportions, half_length: float, skin_side: float, finish: Finish
) -> None:
    """Add door seams and handles, sills and mirrors."""
    cowl, tail = proportions.glass[0] * half_length, proportions.glass[3] * half_length
    seams = [cowl - 0.28, proportions.pillars[0] * half_length, max(tail + 0.35, -half_length + 1.25)]
    for x in seams:
        row = skin.row(x)
        skin.patch(mesh, (row - 0.02, row + 0.02), (0.9, 4.6), finish.dark, 0.004)
    for x in seams[1:]:  # a handle ahead of each seam but the first
        row = skin.row(x + 0.22)
        for column in (3.95, 2 * MIDDLE - 3.95):
            handle_x, y, z = skin.at(np.array([row]), np.array([column]))[0, 0]
            mesh.box(
                (handle_x - 0.09, y - 0.025, z - 0.014),
                (handle_x + 0.09, y + 0.025, z + 0.014),
                finish.paint,
                bottom=True,
            )
    for side in (-1, 1):
        mesh.ball(
            (cowl - 0.32, side * (skin_side + 0.01), proportions.belt + 0.08), (0.07, 0.10, 0.075), finish.paint, 8, 5
        )
    skin.patch(mesh, (skin.row(half_length * 0.35), skin.row(-half_length * 0.32)), (0.0, 0.8), finish.dark, 0.006)
