"""Build a road network from a plan: nodes and the streets between them."""

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

LANE_WIDTH = 3.5  # metres, of every driving lane, so that lanes join without a step
MIN_ROAD_LENGTH = 15.0  # metres between two junctions: room for a crossing and a stop line at both ends
FIRST_JUNCTION_ID = 10_000  # clients expect the ids of roads and junctions to be distinct


@dataclass(frozen=True)
class Profile:
    """A road's cross-section, the same on both sides of its axis.

    driving_lanes: number per side. parking, shoulder, sidewalk: widths in metres; 0: none. speed: limit, km/h.
    centre_marking: see `Road`.
    """

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


# driving_lanes, parking, shoulder, sidewalk, speed, centre_marking
AVENUE = Profile(2, 0.0, 0.5, 3.5, 50.0, "solid solid")
STREET = Profile(1, 0.0, 0.5, 3.0, 40.0, "broken")
PARKING_STREET = Profile(1, 2.2, 0.0, 3.0, 30.0, "broken")


@dataclass(frozen=True)
class Bend:
    """A rounded corner of a street between two nodes; metres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class NamedStreet:
    """A street. course: the names of the nodes that it goes through, with the bends between them."""

    name: str
    profile: Profile
    course: tuple[str | Bend, ...]


@dataclass(frozen=True)
class Plan:
    """Nodes by name (x, y in metres) and the streets that join them; three or four roads meet at each node.

    centre_colour: of the centre lines, "white" or "yellow". controls: overrides, by node, of the junction control that
    `_control` derives from the roads.
    """

    nodes: Mapping[str, tuple[float, float]]
    streets: tuple[NamedStreet, ...]
    centre_colour: str = "white"
    controls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Segment:
    """The part of a street between two nodes: a future road, before its ends are cut back for the junctions.

    ends: names of the two nodes. curve: from one node to the other.
    """

    name: str
    profile: Profile
    ends: tuple[str, str]
    curve: Curve


def build_network(name: str, seed: int, plan: Plan, rng: np.random.Generator) -> RoadNetwork:
    """Build the network of a plan; `rng` decides where crossings are.

    Raise ValueError if a bend does not fit or a street is too short for the junctions at its ends.
    """
    segments = dict(enumerate(_segments(plan), start=1))
    arms = {node: _arms(segments, node) for node in plan.nodes}
    junction_ids = {node: FIRST_JUNCTION_ID + i for i, node in enumerate(plan.nodes)}
    roads = {i: _road(i, segment, arms, segments, junction_ids, plan.centre_colour) for i, segment in segments.items()}
    junctions: dict[int, Junction] = {}
    for node, node_arms in arms.items():
        control = plan.controls.get(node, _control([segments[arm.road].profile for arm in node_arms]))
        junction, connecting = build_junction(junction_ids[node], max(roads) + 1, roads, node_arms, control)
        junctions[junction.id] = junction
        roads.update((road.id, road) for road in connecting)
    return add_markings(add_signals(RoadNetwork(name, seed, roads, junctions), rng))


def _control(profiles: Sequence[Profile]) -> str:
    """Return "lights" at an avenue, "stop" where four streets meet, otherwise "yield" (for the side road)."""
    if any(profile.driving_lanes > 1 for profile in profiles):
        return "lights"
    return "stop" if len(profiles) > 3 else "yield"


def _segments(plan: Plan) -> Iterator[_Segment]:
    for street in plan.streets:
        begin = ""
        bends: list[Bend] = []
        for stop in street.course:
            if isinstance(stop, Bend):
                bends.append(stop)
                continue
            if begin:
                points = [plan.nodes[begin], *((b.x, b.y) for b in bends), plan.nodes[stop]]
                curve = curves.rounded_polyline(points, [b.radius for b in bends])
                yield _Segment(street.name, street.profile, (begin, stop), curve)
            begin, bends = stop, []


def _outward_yaw(segments: Mapping[int, _Segment], arm: Arm) -> float:
    curve = segments[arm.road].curve
    return curve[0].yaw if arm.contact == "start" else wrap_degrees(curve[-1].end()[2] + 180.0)


def _arms(segments: Mapping[int, _Segment], node: str) -> list[Arm]:
    """Return the ends of the segments at a node, clockwise as seen from above."""
    arms = [
        Arm(number, contact)
        for number, segment in segments.items()
        for contact, end in zip(("start", "end"), segment.ends, strict=True)
        if end == node
    ]
    return sorted(arms, key=lambda arm: _outward_yaw(segments, arm))


def _setback(segments: Mapping[int, _Segment], arms: Sequence[Arm], own: Arm) -> float:
    """Return the setback of one of the arms of a junction, see `setback`."""
    others = [(_outward_yaw(segments, arm), segments[arm.road].profile.half_asphalt) for arm in arms if arm != own]
    return setback(_outward_yaw(segments, own), segments[own.road].profile.half_asphalt, others)


def _road(
    road_id: int,
    segment: _Segment,
    arms: Mapping[str, Sequence[Arm]],
    segments: Mapping[int, _Segment],
    junction_ids: Mapping[str, int],
    centre_colour: str,
) -> Road:
    begin, end = (
        _setback(segments, arms[node], Arm(road_id, contact))
        for node, contact in zip(segment.ends, ("start", "end"), strict=True)
    )
    length = curves.curve_length(segment.curve)
    for piece, cut, node in zip((segment.curve[0], segment.curve[-1]), (begin, end), segment.ends, strict=True):
        if piece.length < cut or length < begin + end + MIN_ROAD_LENGTH:
            raise ValueError(
                f"{segment.name} is too short for its junctions ({length:.1f} m, {piece.length:.1f} m of it "
                f"straight at {node}, which needs {cut:.1f} m); move {node} or the next bend further away."
            )
    links = [Link("junction", junction_ids[node]) for node in segment.ends]
    return Road(
        id=road_id,
        name=segment.name,
        pieces=curves.trim(segment.curve, begin, length - end),
        left=_lanes(segment.profile, 1),
        right=_lanes(segment.profile, -1),
        predecessor=links[0],
        successor=links[1],
        speed=segment.profile.speed,
        centre_marking=segment.profile.centre_marking,
        centre_colour=centre_colour,
    )


def _lanes(profile: Profile, sign: int) -> tuple[Lane, ...]:
    """Return the lanes of one side, outwards."""
    lanes = [Lane(0, "driving", LANE_WIDTH, marking="broken")] * profile.driving_lanes
    lanes[-1] = replace(lanes[-1], marking="solid")
    for kind in ("parking", "shoulder", "sidewalk"):
        width = getattr(profile, kind)
        if width > 0.0:
            lanes.append(Lane(0, kind, width))
    return tuple(replace(lane, id=sign * i) for i, lane in enumerate(lanes, start=1))
