"""Read OpenDRIVE text as a road network, for towns that a client sends.

Lines and arcs, links, junctions, crosswalks and signals are read exactly. The rest is approximated: spirals and
polynomials by short arcs and lines; the lanes and lane offset of a road are those in the middle of its longest
lane section; a crosswalk goes from kerb to kerb; heights are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from xml.etree import ElementTree as Xml

import numpy as np

from simulator.geometry import Transform, wrap_degrees
from simulator.roads.junctions import arm_pose, sidewalk_corners, turn_between
from simulator.roads.markings import add_markings
from simulator.roads.opendrive_roads import KM_PER_HOUR, read_integer, read_number, read_road
from simulator.roads.road_network import Arm, Connection, Crossing, Junction, Road, RoadNetwork, Signal
from simulator.roads.signals import CROSSING_WIDTH, crossing_at, stop_line_at

SIGNAL_KINDS = {"1000001": "traffic_light", "206": "stop", "205": "yield", "274": "speed_limit"}


def parse_opendrive(text: str) -> RoadNetwork:
    """Return the network that OpenDRIVE text describes, with markings.

    Raise ValueError, in one sentence, if the text is not OpenDRIVE, contains no roads or lacks a number.
    """
    try:
        root = Xml.fromstring(text)
    except Xml.ParseError as error:
        raise ValueError(f"The OpenDRIVE text is not valid XML ({error}); send a whole .xodr file.") from None
    nodes = root.findall("road")
    if root.tag != "OpenDRIVE" or not nodes:
        raise ValueError("The text contains no OpenDRIVE roads; send a whole .xodr file.")
    roads = {road.id: road for road in map(read_road, nodes)}
    signals = _read_signals(root, roads)
    junctions = {}
    for node in root.findall("junction"):
        junction = _read_junction(node, roads, signals)
        if junction is not None:
            junctions[junction.id] = junction
    stop_lines = tuple(
        stop_line_at(roads[signal.road], signal.s, signal.lanes, "yield" if signal.kind == "yield" else "stop")
        for signal in signals.values()
        if signal.kind != "speed_limit" and roads[signal.road].junction < 0
    )
    header = root.find("header")
    name = header.get("name") if header is not None else None
    network = RoadNetwork(
        name or "OpenDriveMap", 0, roads, junctions, signals, tuple(_read_crossings(nodes, roads)), stop_lines
    )
    return add_markings(network)


# Junctions


def _read_junction(node: Xml.Element, roads: Mapping[int, Road], signals: Mapping[int, Signal]) -> Junction | None:
    """Return one <junction>, None if it joins fewer than two road ends."""
    junction_id = read_integer(node, "id")
    connections: list[Connection] = []
    arms: set[Arm] = set()
    for entry in node.iterfind("connection"):
        road = roads.get(read_integer(entry, "connectingRoad"))
        if road is None or road.predecessor is None or road.successor is None:
            continue
        begins = entry.get("contactPoint", "start") == "start"
        source, target = (road.predecessor, road.successor) if begins else (road.successor, road.predecessor)
        if source.id not in roads or target.id not in roads:
            continue
        incoming, outgoing = Arm(source.id, source.contact), Arm(target.id, target.contact)
        arms |= {incoming, outgoing}
        turn = turn_between(roads, incoming, outgoing)
        for link in entry.iterfind("laneLink"):
            lane = next((lane for lane in road.lanes if lane.id == read_integer(link, "to")), None)
            if lane is None:
                continue
            to_lane = lane.successor if begins else lane.predecessor
            if to_lane is not None:
                from_lane = read_integer(link, "from")
                connections.append(
                    Connection(len(connections), source.id, from_lane, road.id, target.id, to_lane, turn)
                )
    if len(arms) < 2:
        return None
    ordered = _clockwise(roads, arms)
    corners = sidewalk_corners(roads, ordered)
    control, major = _right_of_way(ordered, [s for s in signals.values() if s.junction == junction_id])
    surface = np.concatenate([corner.kerb for corner in corners])
    return Junction(junction_id, tuple(ordered), tuple(connections), control, surface, corners, major)


def _clockwise(roads: Mapping[int, Road], arms: set[Arm]) -> list[Arm]:
    """Return the arms of a junction clockwise as seen from above."""
    ordered = sorted(arms, key=lambda arm: (arm.road, arm.contact))
    ends = np.array([arm_pose(roads[arm.road], arm.contact)[:2] for arm in ordered])
    away = ends - ends.mean(axis=0)
    return [ordered[i] for i in np.argsort(np.arctan2(away[:, 1], away[:, 0]), kind="stable")]


def _right_of_way(arms: Sequence[Arm], signals: Sequence[Signal]) -> tuple[str, tuple[int, ...]]:
    """Return (control, roads with priority) according to the lights and signs."""
    kinds = {signal.kind for signal in signals}
    for control in ("traffic_light", "stop", "yield"):
        if control in kinds:
            break
    else:
        return "none", ()
    if control == "traffic_light":
        return "lights", ()
    minor = {signal.road for signal in signals}
    return control, tuple(arm.road for arm in arms if arm.road not in minor)


# Signals and crossings


def _read_signals(root: Xml.Element, roads: Mapping[int, Road]) -> dict[int, Signal]:
    """Return the signals by id, counted from 1 in the order of the text."""
    phases = _read_phases(root)
    found = [
        _read_signal(node, roads[read_integer(road_node, "id")], phases.get(node.get("id", ""), 0))
        for road_node in root.iterfind("road")
        for node in road_node.iterfind("signals/signal")
    ]
    known = [signal for signal in found if signal is not None]
    return {count: replace(signal, id=count) for count, signal in enumerate(known, start=1)}


def _read_signal(node: Xml.Element, road: Road, phase: int) -> Signal | None:
    """Return one <signal>, None if its type is not supported or it governs no driving lanes."""
    kind = SIGNAL_KINDS.get(node.get("type", ""))
    lanes = _governed_lanes(node, road)
    if kind is None or not lanes:
        return None
    s = read_number(node, "s")
    pose = _signal_pose(node, road, s)
    stops = tuple(road.lane_pose(lane, s) for lane in lanes)
    if kind == "speed_limit":
        limit = read_number(node, "value", 0.0) * KM_PER_HOUR.get(node.get("unit", "km/h"), 1.0)
        return Signal(0, kind, pose, road.id, s, lanes, stops, value=limit)
    junction = _junction_ahead(road, lanes)
    if kind != "traffic_light":
        return Signal(0, kind, pose, road.id, s, lanes, stops, junction)
    reach = max(0.0, float((pose.location() - stops[0].location()) @ stops[0].right()))
    return Signal(0, kind, pose, road.id, s, lanes, stops, junction, phase, reach)


def _read_phases(root: Xml.Element) -> dict[str, int]:
    """Return each light's phase by signal id: the position of its controller in the junction's list."""
    members = {
        node.get("id", ""): [control.get("signalId", "") for control in node.iterfind("control")]
        for node in root.iterfind("controller")
    }
    return {
        signal: phase
        for junction in root.iterfind("junction")
        for phase, controller in enumerate(junction.iterfind("controller"))
        for signal in members.get(controller.get("id", ""), [])
    }


def _governed_lanes(node: Xml.Element, road: Road) -> tuple[int, ...]:
    """Return the driving lanes, of one direction, that a signal governs, inner ones first."""
    spans = [(read_integer(v, "fromLane"), read_integer(v, "toLane")) for v in node.iterfind("validity")]
    side = road.left if node.get("orientation") == "-" else road.right
    driving = [lane.id for lane in side if lane.kind == "driving"]
    return tuple(i for i in driving if not spans or any(min(span) <= i <= max(span) for span in spans))


def _signal_pose(node: Xml.Element, road: Road, s: float) -> Transform:
    """Return the pose of a <signal>, see `Signal.transform`."""
    inertial = node.find("positionInertial")
    if inertial is not None:
        yaw = wrap_degrees(math.degrees(-read_number(inertial, "hdg", 0.0)))
        return Transform(read_number(inertial, "x"), -read_number(inertial, "y"), yaw=yaw)
    pose = road.pose(s, -read_number(node, "t"))
    rotation = 0.0 if node.get("orientation") == "-" else 180.0
    return Transform(pose.x, pose.y, yaw=wrap_degrees(pose.yaw + rotation))


def _junction_ahead(road: Road, lanes: tuple[int, ...]) -> int:
    """Return the id of the junction that the traffic on `lanes` is in or comes to, -1 if there is none."""
    if road.junction >= 0:
        return road.junction
    link = road.successor if lanes[0] < 0 else road.predecessor
    return link.id if link is not None and link.kind == "junction" else -1


def _read_crossings(nodes: Sequence[Xml.Element], roads: Mapping[int, Road]) -> Iterator[Crossing]:
    """Yield the crosswalks of all <road>s outside junctions, with ids from 1 on."""
    count = 0
    for road_node in nodes:
        road = roads[read_integer(road_node, "id")]
        for node in road_node.iterfind("objects/object[@type='crosswalk']"):
            if road.junction >= 0:
                continue
            count += 1
            s = read_number(node, "s")
            width = read_number(node, "length", CROSSING_WIDTH)
            link = road.predecessor if s < road.length / 2.0 else road.successor
            junction_id = -1
            if min(s, road.length - s) < 2.0 * width and link is not None and link.kind == "junction":
                junction_id = link.id
            yield crossing_at(road, s, width, count, junction_id)
