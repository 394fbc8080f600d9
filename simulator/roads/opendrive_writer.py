"""Write a road network as OpenDRIVE 1.4, the map format of CARLA's clients.

OpenDRIVE's y axis points left and its angles are radians that turn left, so y, t, headings and curvatures change
sign. `simulator.roads.opendrive_reader.parse_opendrive` is the inverse.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as Xml

from simulator.geometry import Transform, inverse
from simulator.roads.road_network import Crossing, Junction, Lane, Link, Road, RoadNetwork, Signal

# type numbers of CARLA's landmarks: German sign numbers, and OpenDRIVE's own number for a traffic light
SIGNAL_TYPES = {"traffic_light": "1000001", "stop": "206", "yield": "205", "speed_limit": "274"}
SIGNAL_HEIGHTS = {"traffic_light": 5.2, "stop": 2.2, "yield": 2.2, "speed_limit": 2.2}  # metres
MARK_WIDTH = 0.15  # metres
GEO_REFERENCE = "+proj=tmerc +lat_0=49.0 +lon_0=8.0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"


def to_opendrive(network: RoadNetwork) -> str:
    """Return the network as OpenDRIVE text; equal networks give equal texts."""
    root = Xml.Element("OpenDRIVE")
    _add_header(root, network)
    crossings: dict[int, list[Crossing]] = defaultdict(list)
    signals: dict[int, list[Signal]] = defaultdict(list)
    for crossing in network.crossings:
        crossings[crossing.road].append(crossing)
    for signal in network.signals.values():
        signals[signal.road].append(signal)
    for road in network.roads.values():
        _add_road(root, road, crossings[road.id], signals[road.id])
    phases = _lights_by_phase(network.signals.values())
    for (junction_id, phase), lights in phases.items():
        controller = _add(
            root,
            "controller",
            id=_controller_id(junction_id, phase),
            name=f"{junction_id} phase {phase}",
            sequence=phase,
        )
        for light in lights:
            _add(controller, "control", signalId=light.id, type=0)
    for junction in network.junctions.values():
        _add_junction(root, junction, [phase for junction_id, phase in phases if junction_id == junction.id])
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _add(parent: Xml.Element, tag: str, **attributes: float | str) -> Xml.Element:
    return Xml.SubElement(parent, tag, {name: _text(value) for name, value in attributes.items()})


def _text(value: float | str) -> str:
    """Return a value as text; floats are rounded to 10 decimals, negative zero becomes zero."""
    return f"{round(value, 10) + 0.0:.15g}" if isinstance(value, float) else str(value)


def _add_header(root: Xml.Element, network: RoadNetwork) -> None:
    x_min, y_min, x_max, y_max = network.bounds()
    header = _add(
        root,
        "header",
        revMajor=1,
        revMinor=4,
        name=network.name,
        version="1.00",
        date="2020-01-01T00:00:00",
        north=-y_min,
        south=-y_max,
        east=x_max,
        west=x_min,
    )
    _add(header, "geoReference").text = GEO_REFERENCE


def _add_road(parent: Xml.Element, road: Road, crossings: list[Crossing], signals: list[Signal]) -> None:
    junction = road.junction if road.junction >= 0 else -1
    node = _add(parent, "road", name=road.name, length=road.length, id=road.id, junction=junction)
    links = _add(node, "link")
    for tag, link in (("predecessor", road.predecessor), ("successor", road.successor)):
        if link is not None:
            _add_link(links, tag, link)
    _add(_add(node, "type", s=0.0, type="town"), "speed", max=road.speed, unit="km/h")
    plan = _add(node, "planView")
    s = 0.0
    for piece in road.pieces:
        geometry = _add(plan, "geometry", s=s, x=piece.x, y=-piece.y, hdg=-math.radians(piece.yaw), length=piece.length)
        if piece.curvature:
            _add(geometry, "arc", curvature=-piece.curvature)
        else:
            _add(geometry, "line")
        s += piece.length
    _add(_add(node, "elevationProfile"), "elevation", s=0.0, a=0.0, b=0.0, c=0.0, d=0.0)
    _add(node, "lateralProfile")
    _add_lanes(node, road)
    objects = _add(node, "objects")
    for crossing in crossings:
        _add_crossing(objects, road, crossing)
    signals_node = _add(node, "signals")
    for signal in signals:
        _add_signal(signals_node, road, signal)


def _add_link(parent: Xml.Element, tag: str, link: Link) -> None:
    contact = {"contactPoint": link.contact} if link.kind == "road" else {}
    _add(parent, tag, elementType=link.kind, elementId=link.id, **contact)


def _add_lanes(parent: Xml.Element, road: Road) -> None:
    lanes = _add(parent, "lanes")
    _add(lanes, "laneOffset", s=0.0, a=0.0, b=0.0, c=0.0, d=0.0)
    section = _add(lanes, "laneSection", s=0.0)
    if road.left:
        left = _add(section, "left")
        for lane in reversed(road.left):
            _add_lane(left, lane)
    centre = _add(_add(section, "center"), "lane", id=0, type="none", level="false")
    _add_mark(centre, road.centre_marking, road.centre_colour, "none")
    right = _add(section, "right")
    for lane in road.right:
        _add_lane(right, lane)


def _add_lane(parent: Xml.Element, lane: Lane) -> None:
    node = _add(parent, "lane", id=lane.id, type=lane.kind, level="false")
    link = _add(node, "link")
    if lane.predecessor is not None:
        _add(link, "predecessor", id=lane.predecessor)
    if lane.successor is not None:
        _add(link, "successor", id=lane.successor)
    _add(node, "width", sOffset=0.0, a=lane.width, b=0.0, c=0.0, d=0.0)
    _add_mark(node, lane.marking, "white", "both" if lane.marking == "broken" else "none")


def _add_mark(parent: Xml.Element, kind: str, colour: str, lane_change: str) -> None:
    """Add the <roadMark> of a lane. lane_change: "none", or "both" if vehicles may cross it from both sides."""
    _add(
        parent,
        "roadMark",
        sOffset=0.0,
        type=kind,
        weight="standard",
        color=colour,
        width=MARK_WIDTH,
        laneChange=lane_change,
    )


def _add_crossing(parent: Xml.Element, road: Road, crossing: Crossing) -> None:
    node = _add(
        parent,
        "object",
        id=crossing.id,
        name="crossing",
        type="crosswalk",
        s=crossing.s,
        t=0.0,
        zOffset=0.0,
        orientation="none",
        hdg=0.0,
        pitch=0.0,
        roll=0.0,
        length=crossing.width,
        width=road.kerb("right") - road.kerb("left"),
    )
    outline = _add(node, "outline")
    to_local = inverse(road.pose(crossing.s)).matrix()
    # clients recognise the end of a crossing by the repeated first corner
    for x, y in (*crossing.outline, crossing.outline[0]):
        u, v = (to_local @ (x, y, 0.0, 1.0))[:2]
        _add(outline, "cornerLocal", u=float(u), v=float(-v), z=0.0, height=0.0)


def _add_signal(parent: Xml.Element, road: Road, signal: Signal) -> None:
    pose, height = signal.transform, SIGNAL_HEIGHTS[signal.kind]
    limit = f"{signal.value:g}" if signal.value else ""
    node = _add(
        parent,
        "signal",
        id=signal.id,
        name=signal.kind,
        s=signal.s,
        t=-_lateral(road, signal.s, pose),
        dynamic="yes" if signal.kind == "traffic_light" else "no",
        orientation="+" if signal.lanes[0] < 0 else "-",
        zOffset=height,
        country="OpenDRIVE",
        type=SIGNAL_TYPES[signal.kind],
        subtype=limit or "-1",
        value=signal.value,
        unit="km/h",
        height=1.0,
        width=0.5,
        text=limit,
        hOffset=math.radians(road.pose(signal.s).yaw - pose.yaw),
        pitch=0.0,
        roll=0.0,
    )
    _add(node, "validity", fromLane=min(signal.lanes), toLane=max(signal.lanes))
    _add(
        node,
        "positionInertial",
        x=pose.x,
        y=-pose.y,
        z=height,
        hdg=-math.radians(pose.yaw),
        pitch=0.0,
        roll=0.0,
    )


def _lateral(road: Road, s: float, pose: Transform) -> float:
    """Return how far right of the reference line at s a pole stands, metres; it may stand further along the road."""
    return float((inverse(road.pose(s)).matrix() @ (pose.x, pose.y, 0.0, 1.0))[1])


def _lights_by_phase(signals: Iterable[Signal]) -> Mapping[tuple[int, int], list[Signal]]:
    """Return the traffic lights that are green together, by (junction, phase)."""
    phases: dict[tuple[int, int], list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.kind == "traffic_light":
            phases[signal.junction, signal.phase].append(signal)
    return phases


def _controller_id(junction_id: int, phase: int) -> int:
    """Return the id of the controller of one phase; a junction has at most 10."""
    return 10 * junction_id + phase


def _add_junction(parent: Xml.Element, junction: Junction, phases: list[int]) -> None:
    """Add a junction with its connections, priorities and the controllers of its traffic lights' phases."""
    node = _add(parent, "junction", id=junction.id, name=f"junction {junction.id}")
    for connection in junction.connections:
        entry = _add(
            node,
            "connection",
            id=connection.id,
            incomingRoad=connection.incoming,
            connectingRoad=connection.road,
            contactPoint="start",
        )
        _add(entry, "laneLink", **{"from": connection.from_lane, "to": -1})
    for high in junction.connections if junction.major else ():
        for low in junction.connections:
            if high.incoming in junction.major and low.incoming not in junction.major:
                _add(node, "priority", high=high.road, low=low.road)
    for phase in phases:
        _add(node, "controller", id=_controller_id(junction.id, phase), type=0, sequence=phase)
