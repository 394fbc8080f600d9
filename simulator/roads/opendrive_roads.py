"""Read the roads of an OpenDRIVE file: reference lines, lanes, links."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar
from xml.etree import ElementTree as Xml

import numpy as np

from simulator.roads import curves
from simulator.roads.curves import Curve, Piece, Pose
from simulator.roads.road_network import Lane, Link, Road

APPROXIMATION_STEP = 1.0  # metres between the points that approximate a spiral or polynomial
MAX_GEOMETRY_LENGTH = 100_000.0  # metres; more is probably a mistake, and drawing it would exhaust the memory
DEFAULT_SPEED = 50.0  # km/h
LANE_KINDS = {
    "driving": "driving",
    "entry": "driving",
    "exit": "driving",
    "onRamp": "driving",
    "offRamp": "driving",
    "bidirectional": "driving",
    "parking": "parking",
    "sidewalk": "sidewalk",
    "walking": "sidewalk",
}  # every other type is read as "shoulder"
KM_PER_HOUR = {"km/h": 1.0, "mph": 1.609344, "m/s": 3.6}

Scalar = TypeVar("Scalar", float, np.ndarray)


def read_number(node: Xml.Element, name: str, default: float | None = None) -> float:
    """Return an attribute as a finite number.

    Raise ValueError if it is not one, or if it is missing and there is no default.
    """
    text = node.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"A <{node.tag}> of the OpenDRIVE text needs a number as its {name!r}, not {text!r}.")
    return value


def read_integer(node: Xml.Element, name: str) -> int:
    """Return an attribute, truncated to an integer; raise ValueError like `read_number`."""
    return int(read_number(node, name))


def _polynomial(node: Xml.Element, x: Scalar, suffix: str = "") -> Scalar:
    """Return the value at x of the cubic whose coefficients are the attributes a to d, each with the suffix."""
    a, b, c, d = (read_number(node, letter + suffix, 0.0) for letter in "abcd")
    return a + x * (b + x * (c + x * d))


def read_road(node: Xml.Element) -> Road:
    """Return one <road>; raise ValueError if a number or its geometry is missing."""
    length = read_number(node, "length")
    section, middle = _longest_section(node, length)
    pieces = tuple(piece for geometry in node.iterfind("planView/geometry") for piece in _read_geometry(geometry))
    if not pieces or section is None:
        raise ValueError(f"Road {node.get('id')} of the OpenDRIVE text needs a planView and a laneSection.")
    offsets = [o for o in node.iterfind("lanes/laneOffset") if read_number(o, "s") <= middle]
    if offsets:
        shift = -float(_polynomial(offsets[-1], middle - read_number(offsets[-1], "s")))
        pieces = tuple(piece.shifted(shift) for piece in pieces) if shift else pieces
    within = middle - read_number(section, "s")
    mark = section.find("center/lane/roadMark")
    return Road(
        id=read_integer(node, "id"),
        name=node.get("name", ""),
        pieces=pieces,
        left=_read_lanes(section, "left", within),
        right=_read_lanes(section, "right", within),
        predecessor=_read_link(node.find("link/predecessor")),
        successor=_read_link(node.find("link/successor")),
        junction=int(read_number(node, "junction", -1.0)),
        speed=_read_speed(node.find("type/speed")),
        centre_marking=_mark_kind(mark, "solid solid"),
        centre_colour="yellow" if mark is not None and mark.get("color") == "yellow" else "white",
    )


def _longest_section(node: Xml.Element, length: float) -> tuple[Xml.Element | None, float]:
    """Return the longest lane section and the s of its middle."""
    sections = node.findall("lanes/laneSection")
    if not sections:
        return None, 0.0
    begins = [read_number(section, "s") for section in sections]
    spans = [end - begin for begin, end in pairwise([*begins, length])]
    longest = int(np.argmax(spans))
    return sections[longest], begins[longest] + spans[longest] / 2.0


def _read_geometry(node: Xml.Element) -> Curve:
    """Return one <geometry> of a planView; raise ValueError if it is too long."""
    start = read_number(node, "x"), -read_number(node, "y"), math.degrees(-read_number(node, "hdg"))
    length = read_number(node, "length")
    if length > MAX_GEOMETRY_LENGTH:
        raise ValueError(
            f"A <geometry> of the OpenDRIVE text is {length:g} m long; split it into parts of less than "
            f"{MAX_GEOMETRY_LENGTH:g} m."
        )
    count = max(2, math.ceil(length / APPROXIMATION_STEP))
    if (arc := node.find("arc")) is not None:
        return curves.chain(start, [(length, -read_number(arc, "curvature"))])
    if (spiral := node.find("spiral")) is not None:
        begin, end = read_number(spiral, "curvStart"), read_number(spiral, "curvEnd")
        middles = begin + (end - begin) * (np.arange(count) + 0.5) / count
        return curves.chain(start, [(length / count, -float(curvature)) for curvature in middles])
    if (cubic := node.find("poly3")) is not None:
        u = np.linspace(0.0, length, count + 1)
        return _through(start, u, _polynomial(cubic, u))
    if (cubic := node.find("paramPoly3")) is not None:
        p = np.linspace(0.0, length if cubic.get("pRange") == "arcLength" else 1.0, count + 1)
        return _through(start, _polynomial(cubic, p, "U"), _polynomial(cubic, p, "V"))
    return curves.chain(start, [(length, 0.0)])


def _through(start: Pose, u: np.ndarray, v: np.ndarray) -> Curve:
    """Return lines through the points `u` metres ahead and `v` metres to the left of a pose."""
    yaw = math.radians(start[2])
    x = start[0] + u * math.cos(yaw) + v * math.sin(yaw)
    y = start[1] + u * math.sin(yaw) - v * math.cos(yaw)
    return tuple(
        Piece(*p, math.degrees(math.atan2(q[1] - p[1], q[0] - p[0])), math.dist(p, q))
        for p, q in pairwise(zip(x.tolist(), y.tolist(), strict=True))
        if math.dist(p, q) > curves.MIN_LENGTH
    )


def _read_lanes(section: Xml.Element, side: str, within: float) -> tuple[Lane, ...]:
    """Return the lanes of one side outwards, up to the first sidewalk; `within`: metres into the section."""
    lanes: list[Lane] = []
    for node in sorted(section.iterfind(f"{side}/lane"), key=lambda lane: abs(read_integer(lane, "id"))):
        widths = [width for width in node.iterfind("width") if read_number(width, "sOffset") <= within]
        width = float(_polynomial(widths[-1], within - read_number(widths[-1], "sOffset"))) if widths else 0.0
        links = (node.find("link/predecessor"), node.find("link/successor"))
        kind = LANE_KINDS.get(node.get("type", ""), "shoulder")
        predecessor, successor = (None if link is None else read_integer(link, "id") for link in links)
        marking = _mark_kind(node.find("roadMark"))
        lanes.append(Lane(read_integer(node, "id"), kind, max(width, 0.0), predecessor, successor, marking))
        if kind == "sidewalk":
            break
    return tuple(lanes)


def _mark_kind(node: Xml.Element | None, double: str = "solid") -> str:
    """Return the kind of a <roadMark>: "none", "solid", "broken", or `double` for a double solid line."""
    kind = node.get("type", "none") if node is not None else "none"
    if kind.count("solid") > 1:
        return double
    return next((known for known in ("solid", "broken") if known in kind), "none")


def _read_link(node: Xml.Element | None) -> Link | None:
    """Return a <predecessor> or <successor> of a road, None if it is missing."""
    if node is None:
        return None
    return Link(node.get("elementType", "road"), read_integer(node, "elementId"), node.get("contactPoint", ""))


def _read_speed(node: Xml.Element | None) -> float:
    """Return the limit of a <speed> in km/h, DEFAULT_SPEED if there is none."""
    if node is None:
        return DEFAULT_SPEED
    try:
        # the maximum may also be "no limit" or "undefined"; without a unit it is in m/s
        return float(node.get("max", "")) * KM_PER_HOUR.get(node.get("unit", "m/s"), 3.6)
    except ValueError:
        return DEFAULT_SPEED
