"""Turns a plan, nodes and the streets that run between them, into a road network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simulator.geometry import wrap_degrees
from simulator.roads import curves
from simulator.roads.curves import Curve
from simulator.roads.junctions import build_junction, setback
from simulator.roads.markings import add_markings
from simulator.roads.road_network import Arm, Junction, Lane, Link, Road, RoadNetwork
from simulator.roads.signals import add_signals

LANE_WIDTH = 3.5  # metres, of every driving lane: equal widths let lanes join without a step
SHORTEST_ROAD = 15.0  # metres between two junctions: room for a crossing and stop line at both ends
FIRST_JUNCTION = 10_000  # the client tells roads from junctions by number, so the numbers must not meet


@dataclass(frozen=True)
class Profile:
    """A road's cross-section, the same on both sides of its axis. Metres; speed in km/h."""

    driving_lanes: int
    parking: float
    shoulder: float
    sidewalk: float
    speed: float
    centre_marking: str

    @property
    def half_asphalt(self) -> float:
        """Metres from the axis to the kerb."""
        return self.driving_lanes * LANE_WIDTH + self.parking + self.shoulder


AVENUE = Profile(2, 0.0, 0.5, 3.5, 50.0, "solid solid")
STREET = Profile(1, 0.0, 0.5, 3.0, 40.0, "broken")
PARKING_STREET = Profile(1, 2.2, 0.0, 3.0, 30.0, "broken")


@dataclass(frozen=True)
class Bend:
    """A rounded corner of a street on its way between two nodes; metres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Run:
    """A street through several nodes, given by name, with the bends between them."""

    name: str
    profile: Profile
    course: tuple[str | Bend, ...]


@dataclass(frozen=True)
class Plan:
    """Nodes by name (x, y in metres) and the runs that join them; three or four roads meet at each node.

    controls: of junctions where it is not to follow from the roads, see `_control`.
    """

    nodes: Mapping[str, tuple[float, float]]
    runs: tuple[Run, ...]
    centre_colour: str = "white"
    controls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Street:
    """One road to be: between two nodes, before its ends are cut back."""

    name: str
    profile: Profile
    ends: tuple[str, str]
    curve: Curve


def build_network(name: str, seed: int, plan: Plan, rng: np.random.Generator) -> RoadNetwork:
    """The network of a plan; `rng` decides where crossings are.

    Raises ValueError where a bend does not fit or a street is too short for the junctions at its ends.
    """
    streets = dict(enumerate(_streets(plan), start=1))
    arms = {node: _arms(streets, node) for node in plan.nodes}
    numbers = {node: FIRST_JUNCTION + i for i, node in enumerate(plan.nodes)}
    roads = {i: _road(i, street, arms, streets, numbers, plan.centre_colour) for i, street in streets.items()}
    junctions: dict[int, Junction] = {}
    for node, node_arms in arms.items():
        control = plan.controls.get(node, _control([streets[arm.road].profile for arm in node_arms]))
        junction, connecting = build_junction(numbers[node], max(roads) + 1, roads, node_arms, control)
        junctions[junction.id] = junction
        roads.update((road.id, road) for road in connecting)
    return add_markings(add_signals(RoadNetwork(name, seed, roads, junctions), rng))


def _control(profiles: Sequence[Profile]) -> str:
    """Lights where an avenue is crossed, stop signs where four streets meet, else the side road yields."""
    if any(profile.driving_lanes > 1 for profile in profiles):
        return "lights"
    return "stop" if len(profiles) > 3 else "yield"


def _streets(plan: Plan) -> Iterator[_Street]:
    for run in plan.runs:
        begin, bends = "", []
        for stop in run.course:
            if isinstance(stop, Bend):
                bends.append(stop)
                continue
            if begin:
                points = [plan.nodes[begin], *((b.x, b.y) for b in bends), plan.nodes[stop]]
                curve = curves.rounded(points, [b.radius for b in bends])
                yield _Street(run.name, run.profile, (begin, stop), curve)
            begin, bends = stop, []


def _outward_yaw(streets: Mapping[int, _Street], arm: Arm) -> float:
    curve = streets[arm.road].curve
    return curve[0].yaw if arm.contact == "start" else wrap_degrees(curve[-1].end()[2] + 180.0)


def _arms(streets: Mapping[int, _Street], node: str) -> list[Arm]:
    """The street ends at a node, clockwise as seen from above."""
    arms = [
        Arm(number, contact)
        for number, street in streets.items()
        for contact, end in zip(("start", "end"), street.ends, strict=True)
        if end == node
    ]
    return sorted(arms, key=lambda arm: _outward_yaw(streets, arm))


def _setback(streets: Mapping[int, _Street], arms: Sequence[Arm], own: Arm) -> float:
    others = [(_outward_yaw(streets, arm), streets[arm.road].profile.half_asphalt) for arm in arms if arm != own]
    return setback(_outward_yaw(streets, own), streets[own.road].profile.half_asphalt, others)


def _road(
    number: int,
    street: _Street,
    arms: Mapping[str, Sequence[Arm]],
    streets: Mapping[int, _Street],
    junctions: Mapping[str, int],
    centre_colour: str,
) -> Road:
    begin, end = (
        _setback(streets, arms[node], Arm(number, contact))
        for node, contact in zip(street.ends, ("start", "end"), strict=True)
    )
    length = curves.curve_length(street.curve)
    for piece, cut, node in zip((street.curve[0], street.curve[-1]), (begin, end), street.ends, strict=True):
        if piece.length < cut or length < begin + end + SHORTEST_ROAD:
            raise ValueError(
                f"{street.name} is too short for its junctions ({length:.1f} m, {piece.length:.1f} m of it "
                f"straight at {node}, which takes {cut:.1f} m); move {node} or the next bend further off."
            )
    links = [Link("junction", junctions[node]) for node in street.ends]
    return Road(
        id=number,
        name=street.name,
        pieces=curves.trim(street.curve, begin, length - end),
        left=_lanes(street.profile, 1),
        right=_lanes(street.profile, -1),
        predecessor=links[0],
        successor=links[1],
        speed=street.profile.speed,
        centre_marking=street.profile.centre_marking,
        centre_colour=centre_colour,
    )


def _lanes(profile: Profile, sign: int) -> tuple[Lane, ...]:
    """The lanes of one side, outwards."""
    lanes = [Lane(0, "driving", LANE_WIDTH, marking="broken")] * profile.driving_lanes
    lanes[-1] = replace(lanes[-1], marking="solid")
    for kind in ("parking", "shoulder", "sidewalk"):
        width = getattr(profile, kind)
        if width > 0.0:
            lanes.append(Lane(0, kind, width))
    return tuple(replace(lane, id=sign * i) for i, lane in enumerate(lanes, start=1))
