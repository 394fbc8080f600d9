"""Add road markings: centre lines, lane lines, edge lines, turn arrows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from simulator.roads.road_network import Arrow, Junction, Marking, Road, RoadNetwork

LINE_WIDTH = 0.15  # metres
DASH, DASH_GAP = 3.0, 4.5  # metres
DOUBLE_LINE_OFFSET = 0.15  # metres from the axis to the middle of either line
CLEAR_OF_CROSSING = 0.5  # metres without lines on both sides of a zebra crossing
ARROW_DISTANCE = 12.0  # metres from the stop line to the middle of an arrow
MIN_ARROW_ROAD = 60.0  # metres; a shorter road has no arrows


def add_markings(network: RoadNetwork) -> RoadNetwork:
    """Return the network with lines and arrows, which leave out its crossings and stop lines."""
    markings = tuple(marking for road in network.streets for marking in _road_markings(network, road))
    arrows = tuple(arrow for junction in network.junctions.values() for arrow in _arrows(network, junction))
    return replace(network, markings=markings, arrows=arrows)


def _road_markings(network: RoadNetwork, road: Road) -> Iterator[Marking]:
    """Yield the lines along a road."""
    lines = [(t, road.centre_marking, road.centre_colour) for t in _centre_lines(road)]
    for lane in road.lanes:
        offset = -math.copysign(LINE_WIDTH / 2.0, lane.id) if lane.marking == "solid" else 0.0
        # an edge line lies inside its lane, a lane line on the border between two lanes
        lines.append((road.edges(lane.id)[1] - offset, lane.marking, "white"))
    for start, end in _painted_stretches(network, road):
        for t, kind, colour in lines:
            if kind == "none":
                continue
            points = road.points(road.stations(2.0, start, end), t)
            dash, gap = (DASH, DASH_GAP) if kind == "broken" else (0.0, 0.0)
            yield Marking(points, LINE_WIDTH, colour, dash, gap)


def _centre_lines(road: Road) -> tuple[float, ...]:
    """Return the t of the one or two centre lines."""
    return (-DOUBLE_LINE_OFFSET, DOUBLE_LINE_OFFSET) if road.centre_marking == "solid solid" else (0.0,)


def _painted_stretches(network: RoadNetwork, road: Road) -> list[tuple[float, float]]:
    """Return the stretches (start, end) of a road between its stop lines and crossings."""
    blank = []
    for crossing in network.crossings:
        if crossing.road == road.id:
            reach = crossing.width / 2.0 + CLEAR_OF_CROSSING
            blank.append((crossing.s - reach, crossing.s + reach))
    for line in network.stop_lines:
        if line.road == road.id:
            blank.append((line.s, road.length) if line.s > road.length / 2.0 else (0.0, line.s))
    stretches = []
    position = 0.0
    for start, end in sorted(blank):
        if start - position > DASH:
            stretches.append((position, start))
        position = max(position, end)
    if road.length - position > DASH:
        stretches.append((position, road.length))
    return stretches


def _arrows(network: RoadNetwork, junction: Junction) -> Iterator[Arrow]:
    """Yield an arrow before the stop line for every lane of the roads that enter with more than one lane."""
    for line in network.stop_lines:
        road = network.roads[line.road]
        contact = "end" if line.s > road.length / 2.0 else "start"
        at_junction = any(arm.road == road.id and arm.contact == contact for arm in junction.arms)
        if not at_junction or len(line.lanes) < 2 or road.length < MIN_ARROW_ROAD:
            continue
        s = line.s - ARROW_DISTANCE if contact == "end" else line.s + ARROW_DISTANCE
        for lane in line.lanes:
            turns = {c.turn for c in junction.connections if (c.incoming, c.from_lane) == (road.id, lane)}
            ordered = tuple(turn for turn in ("left", "straight", "right") if turn in turns)
            yield Arrow(road.lane_pose(lane, s), ordered)
