"""Add traffic control: zebra crossings, stop lines, traffic lights and signs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np

from simulator.geometry import Transform, wrap_degrees
from simulator.roads.road_network import Arm, Crossing, Junction, Road, RoadNetwork, Signal, StopLine

CROSSING_WIDTH = 3.0  # metres along the road
STRIPE_WIDTH, STRIPE_GAP = 0.5, 0.5  # metres; the stripes run along the road, side by side from kerb to kerb
MOUTH_GAP = 0.5  # metres from an arm's end to the first marking
STOP_GAP = 1.0  # metres from a crossing to the stop line before it
STOP_LINE_WIDTH = 0.4  # metres
POLE_BEHIND_KERB = 0.6  # metres
FAR_POLE = 4.5  # metres from the junction to a light's pole on the arm straight ahead: beyond its crossing
CROSSING_SHARE = 0.5  # probability of a crossing at an arm of a junction without lights
MID_BLOCK_LENGTH = 130.0  # metres; a longer road has a crossing halfway
SPEED_SIGN_DISTANCE = 25.0  # metres after the junction that the traffic comes from
MIN_SPEED_SIGN_ROAD = 70.0  # metres; a shorter road has no speed sign


def add_signals(network: RoadNetwork, rng: np.random.Generator) -> RoadNetwork:
    """Return the network with crossings, stop lines, traffic lights and signs."""
    crossings = tuple(_crossings(network, rng))
    at_mouth = {(crossing.road, _contact(network, crossing)) for crossing in crossings if crossing.junction >= 0}
    stop_lines: list[StopLine] = []
    signals: list[Signal] = []
    for junction in network.junctions.values():
        phases = _phases(junction)
        for arm in junction.arms:
            if junction.control == "none" or arm.road in junction.major:
                continue
            road = network.roads[arm.road]
            distance = MOUTH_GAP + STOP_LINE_WIDTH / 2.0
            if (arm.road, arm.contact) in at_mouth:
                distance += CROSSING_WIDTH + STOP_GAP
            kind = "yield" if junction.control == "yield" else "stop"
            line = stop_line_at(road, road.station(arm.contact, distance), road.lanes_towards(arm.contact), kind)
            stop_lines.append(line)
            signals.append(_junction_signal(network.roads, junction, arm, line, phases[arm]))
    signals += _speed_signs(network)
    by_id = {number: replace(signal, id=number) for number, signal in enumerate(signals, start=1)}
    return replace(network, signals=by_id, crossings=crossings, stop_lines=tuple(stop_lines))


def _contact(network: RoadNetwork, crossing: Crossing) -> str:
    """Return the end of its road, "start" or "end", that a crossing is nearer to."""
    return "start" if crossing.s < network.roads[crossing.road].length / 2.0 else "end"


def _crossings(network: RoadNetwork, rng: np.random.Generator) -> Iterator[Crossing]:
    """Yield the crossings at junctions, then those halfway along streets."""
    places: list[tuple[Road, float, int]] = []
    for junction in network.junctions.values():
        for arm in junction.arms:
            if junction.control == "lights" or rng.random() < CROSSING_SHARE:
                road = network.roads[arm.road]
                places.append((road, road.station(arm.contact, MOUTH_GAP + CROSSING_WIDTH / 2.0), junction.id))
    places += [(road, road.length / 2.0, -1) for road in network.streets if road.length > MID_BLOCK_LENGTH]
    for number, (road, s, junction_id) in enumerate(places, start=1):
        yield crossing_at(road, s, CROSSING_WIDTH, number, junction_id)


def crossing_at(road: Road, s: float, width: float, number: int, junction_id: int) -> Crossing:
    """Return a zebra crossing centred at s, `width` metres along the road, from kerb to kerb. number: its id."""
    s0, s1 = s - width / 2.0, s + width / 2.0
    left, right = road.kerb("left"), road.kerb("right")
    count = max(1, int((right - left + STRIPE_GAP) // (STRIPE_WIDTH + STRIPE_GAP)))
    first = (left + right - count * STRIPE_WIDTH - (count - 1) * STRIPE_GAP) / 2.0
    starts = first + np.arange(count) * (STRIPE_WIDTH + STRIPE_GAP)
    stripes = np.stack([road.quad(s0, s1, t, t + STRIPE_WIDTH) for t in starts])
    return Crossing(number, road.id, s, width, road.quad(s0, s1, left, right), stripes, junction_id)


def stop_line_at(road: Road, s: float, lanes: tuple[int, ...], kind: str) -> StopLine:
    """Return a line across `lanes`, inner ones first, centred at s. kind: "stop" or "yield"."""
    inner, outer = road.edges(lanes[0])[0], road.edges(lanes[-1])[1]
    outline = road.quad(s - STOP_LINE_WIDTH / 2.0, s + STOP_LINE_WIDTH / 2.0, inner + math.copysign(0.2, outer), outer)
    return StopLine(road.id, s, lanes, outline, kind)


def _phases(junction: Junction) -> dict[Arm, int]:
    """Return each arm's phase, counted from 0; arms that face each other are green together."""
    facing = {(c.incoming, c.outgoing) for c in junction.connections if c.turn == "straight"}
    phases: dict[Arm, int] = {}
    for arm in junction.arms:
        partners = [other for other in phases if (arm.road, other.road) in facing]
        phases[arm] = phases[partners[0]] if partners else len(set(phases.values()))
    return phases


def _junction_signal(roads: Mapping[int, Road], junction: Junction, arm: Arm, line: StopLine, phase: int) -> Signal:
    """Return the light or sign that governs an arm of a junction."""
    road = roads[arm.road]
    stops = tuple(road.lane_pose(lane, line.s) for lane in line.lanes)
    if junction.control == "lights":
        x, y = _far_pole(roads, junction, arm, line)
        ahead, right = stops[0].forward()[:2], stops[0].right()[:2]
        reach = float((np.array([x, y]) - (stops[0].x, stops[0].y)) @ right)
        yaw = math.degrees(math.atan2(-ahead[1], -ahead[0]))
        pole = Transform(x, y, yaw=wrap_degrees(yaw))
        return Signal(0, "traffic_light", pole, road.id, line.s, line.lanes, stops, junction.id, phase, reach)
    pole = _roadside(road, line.lanes, line.s)
    return Signal(0, junction.control, pole, road.id, line.s, line.lanes, stops, junction.id)


def _roadside(road: Road, lanes: tuple[int, ...], s: float) -> Transform:
    """Return the foot of a pole on the sidewalk to the right of the traffic on `lanes`, facing it."""
    along_s = lanes[0] < 0
    t = road.kerb("right") + POLE_BEHIND_KERB if along_s else road.kerb("left") - POLE_BEHIND_KERB
    pose = road.pose(s, t)
    return Transform(pose.x, pose.y, yaw=wrap_degrees(pose.yaw + 180.0) if along_s else pose.yaw)


def _far_pole(roads: Mapping[int, Road], junction: Junction, arm: Arm, line: StopLine) -> tuple[float, float]:
    """Return the foot of a traffic light's pole: across the junction, on the right, in view of a waiting driver."""
    straight = {c.outgoing for c in junction.connections if c.incoming == arm.road and c.turn == "straight"}
    for ahead in junction.arms:
        if ahead.road in straight:
            road = roads[ahead.road]
            pole = _roadside(road, road.lanes_away_from(ahead.contact), road.station(ahead.contact, FAR_POLE))
            return pole.x, pole.y
    road = roads[arm.road]
    side = "right" if line.lanes[0] < 0 else "left"
    pose = road.pose(line.s, road.kerb(side))
    start, forward = np.array([pose.x, pose.y]), road.lane_pose(line.lanes[0], line.s).forward()[:2]
    outline = junction.surface.astype(np.float32)
    distances = np.arange(0.0, np.ptp(outline, axis=0).sum(), 0.1)
    inside = [
        cv2.pointPolygonTest(outline, tuple(float(v) for v in start + d * forward), False) >= 0 for d in distances
    ]
    far_kerb = distances[np.flatnonzero(inside)[-1]]
    x, y = start + (far_kerb + POLE_BEHIND_KERB) * forward
    return float(x), float(y)


def _speed_signs(network: RoadNetwork) -> Iterator[Signal]:
    """Yield a speed limit sign for each direction of every street that is long enough."""
    for road in network.streets:
        if road.length < MIN_SPEED_SIGN_ROAD:
            continue
        for contact in ("start", "end"):
            lanes = road.lanes_away_from(contact)
            s = road.station(contact, SPEED_SIGN_DISTANCE)
            stops = tuple(road.lane_pose(lane, s) for lane in lanes)
            yield Signal(0, "speed_limit", _roadside(road, lanes, s), road.id, s, lanes, stops, value=road.speed)
