"""The three maps. Each is a plan whose rows and columns of junctions the seed shifts a little."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from simulator.roads.road_network import RoadNetwork
from simulator.roads.town_plan import AVENUE, PARKING_STREET, STREET, Bend, NamedStreet, Plan, Profile, build_network

MAX_SHIFT = 5.0  # metres by which the seed moves a row or column of junctions
BEND_CLEARANCE = 18.0  # metres of straight road between a junction's centre and a bend
WIDE_BEND = 90.0  # metres, radius

Nodes = Mapping[str, tuple[float, float]]


def build_map(name: str, seed: int) -> RoadNetwork:
    """Build the map of this name; equal seeds give equal maps. Raise KeyError for a name that is not in MAPS."""
    if name not in MAPS:
        raise KeyError(f"There is no map {name!r}; choose from {', '.join(MAPS)}.")
    return MAPS[name](seed)


def eastfield(seed: int) -> RoadNetwork:
    """Build a town centre: a right-angled grid, two avenues that cross, rounded outer corners. 25 roads."""
    rng = np.random.default_rng([seed, 1])
    nodes = _grid(rng, [-220.0, -105.0, 0.0, 110.0, 220.0], [-195.0, -65.0, 60.0, 190.0])
    nodes["B4"] = nodes["B4"][0] + 30.0, nodes["B4"][1]
    streets = (
        NamedStreet(
            "North Road", STREET, ("A2", _corner(nodes, "A1", 45.0), "B1", "C1", _corner(nodes, "E1", 70.0), "E2")
        ),
        NamedStreet(
            "South Road",
            STREET,
            ("A3", _corner(nodes, "A4", 35.0), "B4", "C4", "D4", _corner(nodes, "E4", 50.0), "E3"),
        ),
        NamedStreet("West Street", STREET, ("A2", "A3")),
        NamedStreet("East Street", STREET, ("E2", "E3")),
        NamedStreet("Central Avenue", AVENUE, ("A2", "B2", "C2", "D2", "E2")),
        NamedStreet("Market Street", PARKING_STREET, ("A3", "B3", "C3", "D3", "E3")),
        NamedStreet("Station Avenue", AVENUE, ("C1", "C2", "C3", "C4")),
        NamedStreet("School Street", STREET, ("B1", "B2", "B3", *_s_bend(nodes, "B3", "B4", "vertical"), "B4")),
        NamedStreet("Garden Street", PARKING_STREET, ("D2", "D3", "D4")),
    )
    return build_network("Eastfield", seed, _plan(nodes, streets, "yellow"), rng)


def millbrook(seed: int) -> RoadNetwork:
    """Build a small town of winding streets with few traffic lights and many side roads that yield. 23 roads."""
    rng = np.random.default_rng([seed, 2])
    nodes = _grid(rng, [-205.0, -100.0, 10.0, 115.0, 215.0], [-200.0, -65.0, 60.0, 200.0])
    # metres by which nodes are moved off the grid
    for node, (dx, dy) in {
        "B2": (10, 24),
        "C2": (-12, -8),
        "D2": (8, 22),
        "A2": (0, -6),
        "E2": (0, -10),
        "B3": (-10, -4),
        "C3": (4, 18),
        "D3": (-4, -8),
        "E3": (0, 24),
        "A3": (0, 26),
        "B1": (22, 0),
        "C1": (14, 0),
        "C4": (-14, 0),
        "D4": (24, 0),
    }.items():
        nodes[node] = nodes[node][0] + dx, nodes[node][1] + dy
    streets = (
        _winding_street(nodes, "Mill Lane", STREET, "horizontal", "A2 B2 C2 D2 E2"),
        _winding_street(nodes, "Brook Street", PARKING_STREET, "horizontal", "A3 B3 C3 D3 E3"),
        _winding_street(nodes, "Church Lane", STREET, "vertical", "B1 B2 B3"),
        _winding_street(nodes, "Bridge Street", AVENUE, "vertical", "C1 C2 C3 C4"),
        _winding_street(nodes, "Orchard Lane", STREET, "vertical", "D2 D3 D4"),
        NamedStreet(
            "Hill Road", STREET, ("A2", _corner(nodes, "A1", 85.0), "B1", "C1", _corner(nodes, "E1", 85.0), "E2")
        ),
        NamedStreet(
            "Meadow Road", STREET, ("A3", _corner(nodes, "A4", 75.0), "C4", "D4", _corner(nodes, "E4", 45.0), "E3")
        ),
        NamedStreet("West Lane", PARKING_STREET, ("A2", "A3")),
        NamedStreet("East Lane", PARKING_STREET, ("E2", "E3")),
    )
    return build_network("Millbrook", seed, _plan(nodes, streets, "white"), rng)


def westgate(seed: int) -> RoadNetwork:
    """Build a modern district: slanted cross streets, a ring of avenues, one street with an S-bend. 26 roads."""
    rng = np.random.default_rng([seed, 3])
    nodes = _grid(rng, [-200.0, -95.0, 5.0, 105.0, 205.0], [-200.0, -70.0, 60.0, 195.0])
    slant = 0.21  # metres eastwards for each metre southwards: streets meet at 78 degrees
    nodes = {node: (x + slant * y, y) for node, (x, y) in nodes.items()}
    streets = (
        NamedStreet(
            "North Avenue",
            AVENUE,
            ("A2", _corner(nodes, "A1", 50.0), "B1", "C1", "D1", _corner(nodes, "E1", 60.0), "E2"),
        ),
        NamedStreet(
            "South Avenue",
            AVENUE,
            ("A3", _corner(nodes, "A4", 60.0), "B4", "C4", "D4", _corner(nodes, "E4", 50.0), "E3"),
        ),
        NamedStreet("Gate Avenue", AVENUE, ("A2", "A3")),
        NamedStreet("Tower Avenue", AVENUE, ("E2", "E3")),
        NamedStreet("Union Street", STREET, ("A2", "B2", "C2", "D2", "E2")),
        NamedStreet("Harbour Street", PARKING_STREET, ("A3", "B3", "C3", "D3", "E3")),
        NamedStreet("First Street", STREET, ("B1", "B2", *_s_bend(nodes, "B2", "C3", "vertical"), "C3", "C4")),
        NamedStreet("Quay Street", STREET, ("B3", "B4")),
        NamedStreet("Second Street", PARKING_STREET, ("C1", "C2")),
        NamedStreet("Third Street", STREET, ("D1", "D2", "D3", "D4")),
    )
    return build_network("Westgate", seed, _plan(nodes, streets, "yellow"), rng)


MAPS: dict[str, Callable[[int], RoadNetwork]] = {
    "Eastfield": eastfield,
    "Millbrook": millbrook,
    "Westgate": westgate,
}


def _grid(rng: np.random.Generator, columns: Sequence[float], rows: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Return nodes "A1", "B1", ...: letters go east, numbers south. The seed moves whole rows and columns."""
    xs = np.asarray(columns) + rng.uniform(-MAX_SHIFT, MAX_SHIFT, len(columns)).round(2)
    ys = np.asarray(rows) + rng.uniform(-MAX_SHIFT, MAX_SHIFT, len(rows)).round(2)
    return {f"{chr(65 + i)}{j + 1}": (float(x), float(y)) for i, x in enumerate(xs) for j, y in enumerate(ys)}


def _plan(nodes: Nodes, streets: tuple[NamedStreet, ...], centre_colour: str) -> Plan:
    """Return the plan of some streets, with the nodes that they use."""
    used = {stop for street in streets for stop in street.course if isinstance(stop, str)}
    return Plan({name: position for name, position in nodes.items() if name in used}, streets, centre_colour)


def _corner(nodes: Nodes, node: str, radius: float) -> Bend:
    """Return a bend at a node, which then is not a junction."""
    return Bend(*nodes[node], radius)


def _s_bend(nodes: Nodes, begin: str, end: str, direction: str) -> tuple[Bend, ...]:
    """Return two bends that shift a street sideways, so that it leaves both nodes along the same axis.

    direction: of this axis, "horizontal" (x) or "vertical" (y). The result is empty if the nodes need no shift.

    They turn as little as a radius of WIDE_BEND allows, or have the widest radius that fits.
    """
    axis = 0 if direction == "horizontal" else 1
    a, b = np.array(nodes[begin]), np.array(nodes[end])
    span, shift = abs(b[axis] - a[axis]), abs(b[1 - axis] - a[1 - axis])
    if shift < 1e-6:
        return ()
    # candidates for half the length, along the axis, of the slanted middle part; the steepest comes first
    half = np.linspace(0.0, span / 2.0 - BEND_CLEARANCE, 50)
    turn = np.arctan2(shift, 2.0 * half)
    room = np.minimum(np.hypot(shift, 2.0 * half) / 2.0, span / 2.0 - half - BEND_CLEARANCE)
    radius = room / np.tan(turn / 2.0)
    wide = np.flatnonzero(radius >= WIDE_BEND)
    best = int(wide[-1] if len(wide) else np.argmax(radius))
    first, second = a.copy(), b.copy()
    step = np.sign(b[axis] - a[axis]) * half[best]
    first[axis], second[axis] = (a + b)[axis] / 2.0 - step, (a + b)[axis] / 2.0 + step
    bend_radius = float(np.floor(radius[best]))
    return Bend(float(first[0]), float(first[1]), bend_radius), Bend(float(second[0]), float(second[1]), bend_radius)


def _winding_street(nodes: Nodes, name: str, profile: Profile, direction: str, course_nodes: str) -> NamedStreet:
    """Return a street through nodes that do not lie on one line, with an S-bend between each two.

    direction: see `_s_bend`. course_nodes: their names, separated by spaces.
    """
    names = course_nodes.split()
    course: list[str | Bend] = [names[0]]
    for begin, end in pairwise(names):
        course += [*_s_bend(nodes, begin, end, direction), end]
    return NamedStreet(name, profile, tuple(course))
