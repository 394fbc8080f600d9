"""People: pedestrians of different height, build, hair and clothing, and riders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.mesh import PEDESTRIAN, LinearColour, Look, Mesh, Triangles

Point = tuple[float, float, float]
Section = tuple[float, float, float, float, float]  # x, y, z of an ellipse's centre, half depth (x), half width (y)
SKIN_COLOURS: tuple[LinearColour, ...] = (
    (0.62, 0.40, 0.29),
    (0.38, 0.22, 0.14),
    (0.70, 0.48, 0.37),
    (0.16, 0.085, 0.055),
    (0.52, 0.33, 0.21),
)
HAIR_COLOURS: tuple[LinearColour, ...] = (
    (0.03, 0.02, 0.016),
    (0.12, 0.065, 0.03),
    (0.38, 0.24, 0.09),
    (0.42, 0.42, 0.42),
    (0.22, 0.07, 0.03),
)
TROUSER_COLOURS: tuple[LinearColour, ...] = (
    (0.035, 0.05, 0.11),
    (0.02, 0.02, 0.022),
    (0.20, 0.16, 0.10),
    (0.09, 0.10, 0.11),
    (0.05, 0.075, 0.05),
    (0.16, 0.21, 0.30),
)
SHOE_COLOUR = (0.025, 0.022, 0.02)
DESIGN_HEIGHT = 1.76  # metres: height of the figure before it is scaled to a blueprint


@dataclass(frozen=True)
class Person:
    """How one pedestrian looks.

    skin_colour, hair_colour, trouser_colour: indices in SKIN_COLOURS, HAIR_COLOURS and TROUSER_COLOURS; a skirt has
    the colour of the trousers. hair: "short", "long", "bun", "bald", "cap" or "hood".
    girth: factor on the width of body and limbs, 0.9 slim to 1.3 stout. coat, skirt: metres that they reach below
    the waist; 0: none. long_sleeves: whether sleeves cover the forearms. bag: "", "backpack", "shoulder" or "case".
    """

    skin_colour: int
    hair: str
    hair_colour: int
    trouser_colour: int
    girth: float = 1.0
    coat: float = 0.0
    skirt: float = 0.0
    long_sleeves: bool = True
    bag: str = ""


PEOPLE: dict[str, Person] = {  # skin colour, hair, hair colour, trouser colour, girth
    "walker.pedestrian.0001": Person(0, "long", 1, 1, 0.95, skirt=0.42, bag="shoulder"),
    "walker.pedestrian.0002": Person(1, "short", 0, 0, 1.08, bag="backpack"),
    "walker.pedestrian.0003": Person(2, "bun", 3, 3, 1.05, coat=0.40),
    "walker.pedestrian.0004": Person(0, "short", 1, 1, 1.12, coat=0.36, bag="case"),
    "walker.pedestrian.0005": Person(3, "cap", 0, 2, 1.18),
    "walker.pedestrian.0006": Person(2, "long", 2, 5, 0.90, long_sleeves=False),
    "walker.pedestrian.0007": Person(4, "bald", 0, 0, 1.15, long_sleeves=False),
    "walker.pedestrian.0008": Person(3, "bun", 0, 1, 1.00, coat=0.22, bag="shoulder"),
    "walker.pedestrian.0009": Person(0, "cap", 2, 5, 0.95, bag="backpack"),
    "walker.pedestrian.0010": Person(4, "long", 0, 3, 0.95),
    "walker.pedestrian.0011": Person(2, "bald", 3, 2, 1.28, coat=0.10),
    "walker.pedestrian.0012": Person(1, "hood", 0, 1, 1.06, bag="backpack"),
    "walker.pedestrian.0013": Person(0, "long", 4, 4, 0.96, skirt=0.62, long_sleeves=False, bag="shoulder"),
    "walker.pedestrian.0014": Person(4, "short", 3, 3, 1.10, coat=0.05, bag="case"),
}


def srgb_to_linear(colour: tuple[int, int, int]) -> LinearColour:
    """Return the linear colour of an sRGB colour 0..255; less than 2 counts as 2, so that no surface is quite black."""
    r, g, b = ((max(c, 2) / 255.0) ** 2.2 for c in colour)
    return r, g, b


def rings(mesh: Mesh, sections: list[Section], look: Look, sides: int = 10) -> None:
    """Add a surface through horizontal ellipses, from bottom to top. sides: segments around it at full detail."""
    count = mesh.segments(sides, 5)
    angle = np.linspace(0, 2 * np.pi, count + 1)
    table = np.array(sections)[:, :, None]
    x = table[:, 0] + table[:, 3] * np.cos(angle)
    y = table[:, 1] + table[:, 4] * np.sin(angle)
    mesh.grid(np.stack([x, y, np.broadcast_to(table[:, 2], x.shape)], axis=-1), look)


def pedestrian(type_id: str, phase: float, walking: bool, detail: float = 1.0) -> Triangles:
    """Build a pedestrian of the catalogue at one phase (0..1) of the walking cycle, or standing."""
    person, entry = PEOPLE[type_id], CATALOGUE[type_id]
    mesh = Mesh(detail)
    swing = 0.46 * np.sin(2 * np.pi * phase) if walking else 0.0
    cloth = Look(PEDESTRIAN, srgb_to_linear(entry.colours[0]))
    for side in (-1, 1):
        leg(mesh, person, side, swing * side)
        arm(mesh, person, side, -swing * side, cloth)
    torso(mesh, person, cloth)
    head(mesh, person, cloth, (0.02, 0.0, 1.625))
    bag(mesh, person)
    triangles = mesh.build()
    scale = 2 * entry.extent[2] / DESIGN_HEIGHT
    # with the legs apart the hips are lower
    bob = -0.025 * abs(np.sin(2 * np.pi * phase)) if walking else 0.0
    vertices = triangles.vertices.reshape(-1, 3) * scale
    vertices[:, 2] = np.maximum(vertices[:, 2] + bob, 0.0)
    return triangles._replace(vertices=vertices.reshape(-1, 9).astype(np.float32))


def leg(mesh: Mesh, person: Person, side: float, swing: float) -> None:
    """Add a leg that swings forward by `swing` radians; the knee of the trailing leg bends. side: -1 left, 1 right."""
    girth = person.girth
    bare = person.skirt > 0
    look = Look(PEDESTRIAN, SKIN_COLOURS[person.skin_colour] if bare else TROUSER_COLOURS[person.trouser_colour])
    hip = np.array([0.0, 0.092 * girth * side, 0.90])
    knee = hip + 0.43 * np.array([np.sin(swing), 0, -np.cos(swing)])
    shin_angle = swing - 0.14 - max(0.0, -swing) * 0.85  # forward from the vertical, radians
    ankle = knee + 0.41 * np.array([np.sin(shin_angle), 0, -np.cos(shin_angle)])
    mesh.tube(knee, hip, 0.062 * girth, 0.092 * girth, look, 8)
    mesh.tube(ankle, knee, 0.046, 0.064 * girth, look, 8)
    if mesh.detail > 0.4:
        mesh.ball(knee, 0.063 * girth, look, 7, 4)
    toe = ankle + np.array([0.075, 0, -0.035])
    mesh.ball(toe, (0.135, 0.048, 0.05), Look(PEDESTRIAN, SHOE_COLOUR), 8, 4)


def arm(mesh: Mesh, person: Person, side: float, swing: float, cloth: Look) -> None:
    """Add an arm that swings forward by `swing` radians. side: -1 left, 1 right."""
    skin = Look(PEDESTRIAN, SKIN_COLOURS[person.skin_colour])
    forearm = cloth if person.long_sleeves else skin
    girth = 0.5 + 0.5 * person.girth
    shoulder = np.array([0.0, 0.165 * girth * side, 1.40])
    out = np.array([0.0, 0.12 * side, 0.0])
    elbow = shoulder + 0.29 * np.array([np.sin(swing * 0.8), 0, -np.cos(swing * 0.8)]) + out * 0.45
    forearm_angle = swing * 0.9 + 0.22  # forward from the vertical, radians
    hand = elbow + 0.25 * np.array([np.sin(forearm_angle), 0, -np.cos(forearm_angle)]) + out * 0.12
    mesh.tube(elbow, shoulder, 0.042 * girth, 0.052 * girth, cloth, 7)
    mesh.tube(hand, elbow, 0.032, 0.043 * girth, forearm, 7)
    if mesh.detail > 0.4:
        mesh.ball(shoulder, 0.055 * girth, cloth, 7, 5)
        mesh.ball(elbow, 0.045 * girth, forearm, 6, 4)
    mesh.ball(hand + np.array([0.01, 0, -0.05]), (0.036, 0.026, 0.062), skin, 6, 4)


def torso(mesh: Mesh, person: Person, cloth: Look) -> None:
    """Add hips, chest and shoulders, and the coat or skirt below the waist."""
    g = person.girth
    belly = 0.02 * max(g - 1.1, 0) / 0.1  # metres that it bulges forward
    trousers = Look(PEDESTRIAN, TROUSER_COLOURS[person.trouser_colour])
    rings(
        mesh,
        [
            (0, 0, 0.78, 0.05, 0.07),
            (0, 0, 0.83, 0.092 * g, 0.140 * g),
            (0, 0, 0.93, 0.112 * g, 0.158 * g),
            (0, 0, 1.04, 0.104 * g, 0.142 * g),
        ],
        trousers,
    )
    rings(
        mesh,
        [
            (0, 0, 0.965, 0.120 * g, 0.163 * g),
            (belly, 0, 1.08, 0.115 * g + belly, 0.150 * g),
            (0, 0, 1.22, 0.118 * g, 0.165 * g),
            (0, 0, 1.33, 0.118 * g, 0.180 * g),
            (-0.005, 0, 1.40, 0.104, 0.188),
            (-0.005, 0, 1.45, 0.082, 0.150),
            (-0.005, 0, 1.485, 0.062, 0.085),
            (0, 0, 1.505, 0.048, 0.055),
        ],
        cloth,
        12,
    )
    if person.coat:
        z = 0.985 - person.coat  # of the hem, below the waist at 0.985
        rings(mesh, [(0, 0, z, 0.150 * g, 0.198 * g), (0, 0, 0.99, 0.124 * g, 0.170 * g)], cloth, 12)
    if person.skirt:
        z = 0.985 - person.skirt  # of the hem
        rings(mesh, [(0, 0, z, 0.215 * g, 0.225 * g), (0, 0, 0.99, 0.124 * g, 0.166 * g)], trousers, 12)


def head(mesh: Mesh, person: Person, cloth: Look, at: Point) -> None:
    """Add neck, head, face and hair; `at` is the middle of the head."""
    skin = Look(PEDESTRIAN, SKIN_COLOURS[person.skin_colour])
    hair = Look(PEDESTRIAN, HAIR_COLOURS[person.hair_colour])
    x, y, z = at
    mesh.tube((x - 0.03, y, z - 0.17), (x - 0.015, y, z - 0.05), 0.052, 0.05, skin, 7)
    mesh.ball(at, (0.096, 0.078, 0.122), skin, 10, 8)
    if mesh.detail > 0.4:
        mesh.ball((x + 0.094, y, z - 0.012), (0.02, 0.014, 0.022), skin, 5, 4)
    if person.hair == "bald":
        return
    if person.hair == "cap":
        mesh.ball((x - 0.008, y, z + 0.045), (0.106, 0.092, 0.095), cloth, 10, 6)
        mesh.ball((x + 0.11, y, z + 0.04), (0.07, 0.065, 0.012), cloth, 8, 4)
        return
    if person.hair == "hood":
        mesh.ball((x - 0.03, y, z + 0.008), (0.115, 0.108, 0.142), cloth, 10, 7)
        return
    mesh.ball((x - 0.024, y, z + 0.032), (0.098, 0.090, 0.108), hair, 10, 7)
    if person.hair == "long":
        rings(
            mesh,
            [
                (x - 0.065, y, z - 0.24, 0.03, 0.075),
                (x - 0.06, y, z - 0.10, 0.058, 0.092),
                (x - 0.035, y, z + 0.03, 0.085, 0.092),
            ],
            hair,
        )
    if person.hair == "bun":
        mesh.ball((x - 0.12, y, z + 0.06), 0.05, hair, 7, 5)


def bag(mesh: Mesh, person: Person) -> None:
    """Add the bag that a person carries, if any."""
    if person.bag == "backpack":
        look = Look(PEDESTRIAN, (0.08, 0.10, 0.14) if person.hair_colour else (0.28, 0.10, 0.03))
        rings(
            mesh,
            [
                (-0.175, 0, 1.02, 0.05, 0.10),
                (-0.185, 0, 1.06, 0.085, 0.145),
                (-0.175, 0, 1.32, 0.075, 0.135),
                (-0.16, 0, 1.42, 0.03, 0.09),
            ],
            look,
        )
    if person.bag == "shoulder":
        look = Look(PEDESTRIAN, (0.14, 0.05, 0.03))
        mesh.box((-0.10, 0.215, 0.86), (0.14, 0.295, 1.06), look, bottom=True)
        mesh.path([(0.02, 0.25, 1.06), (0.0, 0.16, 1.46)], 0.012, look, 4)
    if person.bag == "case":
        mesh.box((-0.14, -0.30, 0.52), (0.22, -0.215, 0.78), Look(PEDESTRIAN, (0.05, 0.03, 0.02)), bottom=True)


def rider(
    mesh: Mesh,
    label: int,
    hips: Point,
    hands: Point,
    pedal: Point,
    helmet: LinearColour,
    cloth: LinearColour,
    lean: float,
) -> None:
    """Add a person on a bicycle or motorcycle.

    label: CARLA label id. hips: middle of the hips. hands: the right hand (y > 0); the left mirrors it.
    pedal: x and z midway between the two pedals, y of the right one. helmet, cloth: colours. lean: metres that the
    chest is ahead of the hips.
    """
    jacket = Look(label, cloth)
    hip_x, _, hip_z = hips
    chest = np.array([hip_x + lean, 0.0, hip_z + np.sqrt(max(0.50**2 - lean**2, 0.05))])
    rings(
        mesh,
        [
            (hip_x - 0.02, 0, hip_z - 0.10, 0.10, 0.14),
            (hip_x, 0, hip_z + 0.02, 0.135, 0.175),
            (hip_x + lean * 0.5, 0, (hip_z + chest[2]) / 2, 0.125, 0.165),
            (chest[0], 0, chest[2] - 0.05, 0.125, 0.195),
            (chest[0] + 0.03, 0, chest[2] + 0.04, 0.09, 0.15),
            (chest[0] + 0.05, 0, chest[2] + 0.08, 0.05, 0.06),
        ],
        jacket,
        12,
    )
    # the pedals are opposite each other: the right one forward and up, the left one back and down
    for side in (-1, 1):
        rider_arm(mesh, chest, np.array([hands[0], hands[1] * side, hands[2]]), side, jacket)
        foot = np.array([pedal[0] + 0.10 * side, pedal[1] * side, pedal[2] + 0.10 * side])
        rider_leg(mesh, np.array([hip_x, 0.10 * side, hip_z]), foot, side, label)
    skin = Look(label, SKIN_COLOURS[2])
    x, z = chest[0] + 0.08, chest[2] + 0.215  # middle of the head
    mesh.tube((x - 0.03, 0, z - 0.15), (x, 0, z - 0.04), 0.05, 0.05, skin, 7)
    mesh.ball((x, 0, z), (0.096, 0.078, 0.115), skin, 10, 8)
    mesh.ball((x - 0.012, 0, z + 0.045), (0.125, 0.10, 0.095), Look(label, helmet, gloss=0.4), 10, 6)


def rider_arm(mesh: Mesh, chest: np.ndarray, hand: np.ndarray, side: float, jacket: Look) -> None:
    """Add a rider's arm and glove. chest, hand (3,): their middle. side: -1 left, 1 right."""
    shoulder = chest + np.array([0.02, 0.19 * side, 0.0])
    elbow = (shoulder + hand) / 2 + [0.0, 0.07 * side, -0.07]
    mesh.tube(elbow, shoulder, 0.045, 0.06, jacket, 7)
    mesh.tube(hand, elbow, 0.034, 0.046, jacket, 7)
    mesh.ball(shoulder, 0.060, jacket, 7, 5)
    mesh.ball(hand, 0.042, Look(jacket.label, SHOE_COLOUR), 6, 4)


def rider_leg(mesh: Mesh, hip: np.ndarray, foot: np.ndarray, side: float, label: int) -> None:
    """Add a rider's leg and shoe between two points (3,). side: -1 left, 1 right."""
    trousers = Look(label, TROUSER_COLOURS[1])
    middle = (hip + foot) / 2
    knee = middle + np.array([0.16 + 0.05 * side, 0.04 * side, 0.13 + 0.04 * side])
    mesh.tube(knee, hip, 0.068, 0.095, trousers, 8)
    mesh.tube(foot, knee, 0.045, 0.066, trousers, 8)
    mesh.ball(knee, 0.068, trousers, 7, 4)
    mesh.ball(foot + np.array([0.06, 0, -0.02]), (0.13, 0.045, 0.045), Look(label, SHOE_COLOUR), 8, 4)
