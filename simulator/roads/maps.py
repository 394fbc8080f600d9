"""The three towns. Each is a plan whose blocks the seed stretches a little."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from simulator.roads.road_network import RoadNetwork
from simulator.roads.town_plan import AVENUE, PARKING_STREET, STREET, Bend, Plan, Profile, Run, build_network

STRETCH = 5.0  # metres by which the seed moves a row or column of junctions, at most
BEND_CLEARANCE = 18.0  # metres of straight road between a junction's middle and a bend
WIDE_BEND = 90.0  # metres of radius

Nodes = Mapping[str, tuple[float, float]]


def build_map(name: str, seed: int) -> RoadNetwork:
    """The town of that name; equal seeds give equal towns. KeyError for a name that is not in MAPS."""
    if name not in MAPS:
        raise KeyError(f"No map is called {name!r}; there are {', '.join(MAPS)}.")
    return MAPS[name](seed)


def eastfield(seed: int) -> RoadNetwork:
    """A town centre: a right-angled grid, two avenues that cross, rounded outer corners. 25 roads."""
    rng = np.random.default_rng([seed, 1])
    at = _grid(rng, [-220.0, -105.0, 0.0, 110.0, 220.0], [-195.0, -65.0, 60.0, 190.0])
    at["B4"] = at["B4"][0] + 30.0, at["B4"][1]
    runs = (
        Run("North Road", STREET, ("A2", _corner(at, "A1", 45.0), "B1", "C1", _corner(at, "E1", 70.0), "E2")),
        Run(
            "South Road",
            STREET,
            ("A3", _corner(at, "A4", 35.0), "B4", "C4", "D4", _corner(at, "E4", 50.0), "E3"),
        ),
        Run("West Street", STREET, ("A2", "A3")),
        Run("East Street", STREET, ("E2", "E3")),
        Run("Central Avenue", AVENUE, ("A2", "B2", "C2", "D2", "E2")),
        Run("Market Street", PARKING_STREET, ("A3", "B3", "C3", "D3", "E3")),
        Run("Station Avenue", AVENUE, ("C1", "C2", "C3", "C4")),
        Run("School Street", STREET, ("B1", "B2", "B3", *_s_bend(at, "B3", "B4", "vertical"), "B4")),
        Run("Garden Street", PARKING_STREET, ("D2", "D3", "D4")),
    )
    return build_network("Eastfield", seed, _plan(at, runs, "yellow"), rng)


def millbrook(seed: int) -> RoadNetwork:
    """A small town of winding streets; few lights, many side roads that yield. 23 roads."""
    rng = np.random.default_rng([seed, 2])
    at = _grid(rng, [-205.0, -100.0, 10.0, 115.0, 215.0], [-200.0, -65.0, 60.0, 200.0])
    for node, (x, y) in {
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
        at[node] = at[node][0] + x, at[node][1] + y
    runs = (
        _winding(at, "Mill Lane", STREET, "horizontal", "A2 B2 C2 D2 E2"),
        _winding(at, "Brook Street", PARKING_STREET, "horizontal", "A3 B3 C3 D3 E3"),
        _winding(at, "Church Lane", STREET, "vertical", "B1 B2 B3"),
        _winding(at, "Bridge Street", AVENUE, "vertical", "C1 C2 C3 C4"),
        _winding(at, "Orchard Lane", STREET, "vertical", "D2 D3 D4"),
        Run("Hill Road", STREET, ("A2", _corner(at, "A1", 85.0), "B1", "C1", _corner(at, "E1", 85.0), "E2")),
        Run("Meadow Road", STREET, ("A3", _corner(at, "A4", 75.0), "C4", "D4", _corner(at, "E4", 45.0), "E3")),
        Run("West Lane", PARKING_STREET, ("A2", "A3")),
        Run("East Lane", PARKING_STREET, ("E2", "E3")),
    )
    return build_network("Millbrook", seed, _plan(at, runs, "white"), rng)


def westgate(seed: int) -> RoadNetwork:
    """A modern quarter: slanted cross streets, an avenue all round, one street that swings over. 26 roads."""
    rng = np.random.default_rng([seed, 3])
    at = _grid(rng, [-200.0, -95.0, 5.0, 105.0, 205.0], [-200.0, -70.0, 60.0, 195.0])
    slant = 0.21  # metres eastwards for each metre southwards: streets meet at 78 degrees
    at = {node: (x + slant * y, y) for node, (x, y) in at.items()}
    runs = (
        Run(
            "North Avenue",
            AVENUE,
            ("A2", _corner(at, "A1", 50.0), "B1", "C1", "D1", _corner(at, "E1", 60.0), "E2"),
        ),
        Run(
            "South Avenue",
            AVENUE,
            ("A3", _corner(at, "A4", 60.0), "B4", "C4", "D4", _corner(at, "E4", 50.0), "E3"),
        ),
        Run("Gate Avenue", AVENUE, ("A2", "A3")),
        Run("Tower Avenue", AVENUE, ("E2", "E3")),
        Run("Union Street", STREET, ("A2", "B2", "C2", "D2", "E2")),
        Run("Harbour Street", PARKING_STREET, ("A3", "B3", "C3", "D3", "E3")),
        Run("First Street", STREET, ("B1", "B2", *_s_bend(at, "B2", "C3", "vertical"), "C3", "C4")),
        Run("Quay Street", STREET, ("B3", "B4")),
        Run("Second Street", PARKING_STREET, ("C1", "C2")),
        Run("Third Street", STREET, ("D1", "D2", "D3", "D4")),
    )
    return build_network("Westgate", seed, _plan(at, runs, "yellow"), rng)


MAPS: dict[str, Callable[[int], RoadNetwork]] = {
    "Eastfield": eastfield,
    "Millbrook": millbrook,
    "Westgate": westgate,
}


def _grid(rng: np.random.Generator, columns: Sequence[float], rows: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Nodes "A1", "B1", ...: letters go east, numbers south. The seed moves whole rows and columns."""
    xs = np.asarray(columns) + rng.uniform(-STRETCH, STRETCH, len(columns)).round(2)
    ys = np.asarray(rows) + rng.uniform(-STRETCH, STRETCH, len(rows)).round(2)
    return {f"{chr(65 + i)}{j + 1}": (float(x), float(y)) for i, x in enumerate(xs) for j, y in enumerate(ys)}


def _plan(at: Nodes, runs: tuple[Run, ...], centre_colour: str) -> Plan:
    used = {stop for run in runs for stop in run.course if isinstance(stop, str)}
    return Plan({node: place for node, place in at.items() if node in used}, runs, centre_colour)


def _corner(at: Nodes, node: str, radius: float) -> Bend:
    return Bend(*at[node], radius)


def _s_bend(at: Nodes, begin: str, end: str, direction: str) -> tuple[Bend, ...]:
    """Two bends that shift a street sideways, so that it leaves both nodes along the same axis.

    They turn as little as a radius of WIDE_BEND allows, or have the widest radius that fits.
    """
    axis = 0 if direction == "horizontal" else 1
    a, b = np.array(at[begin]), np.array(at[end])
    span, shift = abs(b[axis] - a[axis]), abs(b[1 - axis] - a[1 - axis])
    if shift < 1e-6:
        return ()
    # half the length, along the axis, of the slanted middle part; the steepest comes first
    half = np.linspace(0.0, span / 2.0 - BEND_CLEARANCE, 50)
    turn = np.arctan2(shift, 2.0 * half)
    room = np.minimum(np.hypot(shift, 2.0 * half) / 2.0, span / 2.0 - half - BEND_CLEARANCE)
    radius = room / np.tan(turn / 2.0)
    wide = np.flatnonzero(radius >= WIDE_BEND)
    best = int(wide[-1] if len(wide) else np.argmax(radius))
    first, second = a.copy(), b.copy()
    step = np.sign(b[axis] - a[axis]) * half[best]
    first[axis], second[axis] = (a + b)[axis] / 2.0 - step, (a + b)[axis] / 2.0 + step
    rounding = float(np.floor(radius[best]))
    return Bend(float(first[0]), float(first[1]), rounding), Bend(float(second[0]), float(second[1]), rounding)


def _winding(at: Nodes, name: str, profile: Profile, direction: str, stops: str) -> Run:
    """A run through nodes that do not lie in line, with an S-bend between each two."""
    names = stops.split()
    course: list[str | Bend] = [names[0]]
    for begin, end in pairwise(names):
        course += [*_s_bend(at, begin, end, direction), end]
    return Run(name, profile, tuple(course))
