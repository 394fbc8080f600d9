"""Build junctions: turning movements, asphalt outline, sidewalk corners."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from simulator.geometry import wrap_degrees
from simulator.roads import curves
from simulator.roads.curves import Curve, Pose
from simulator.roads.road_network import Arm, Connection, Corner, Junction, Lane, Link, Road

KERB_RADIUS = 7.0  # metres; cars turn right without touching the kerb
MIN_SETBACK = 6.0  # metres from a junction's centre to the end of an arm
STRAIGHT_TURN = 35.0  # degrees; a movement that turns less counts as straight
ARC_STEP, LINE_STEP = 0.5, 2.0  # metres between the points of a kerb

LaneEnd = tuple[Road, str, int]  # a road, its "start" or "end", a lane


def setback(yaw: float, half_width: float, others: Sequence[tuple[float, float]]) -> float:
    """Return how far from the junction's centre an arm must end so that its kerbs join those of its neighbours.

    yaw: degrees, outwards; half_width: metres from the arm's axis to its kerb; others: (yaw, half_width) of the
    other arms.
    """
    distance = MIN_SETBACK
    for other_yaw, other_half_width in others:
        angle = math.radians(abs(wrap_degrees(other_yaw - yaw)))
        if angle < math.radians(150.0):
            to_kerb_intersection = (other_half_width + half_width * math.cos(angle)) / math.sin(angle)
            distance = max(distance, to_kerb_intersection + KERB_RADIUS / math.tan(angle / 2.0))
    return distance


def build_junction(
    junction_id: int, first_road_id: int, roads: Mapping[int, Road], arms: Sequence[Arm], control: str
) -> tuple[Junction, list[Road]]:
    """Return the junction of `arms` (clockwise) and the roads of its movements, with ids from `first_road_id` on.

    control: see `Junction`.
    """
    connecting: list[Road] = []
    connections: list[Connection] = []
    for incoming, outgoing, from_lane, to_lane, turn in _movements(roads, arms):
        index = len(connections)
        source = roads[incoming.road], incoming.contact, from_lane
        target = roads[outgoing.road], outgoing.contact, to_lane
        road = _connecting_road(first_road_id + index, junction_id, source, target, turn)
        connecting.append(road)
        connections.append(Connection(index, incoming.road, from_lane, road.id, outgoing.road, to_lane, turn))
    corners = sidewalk_corners(roads, arms)
    major = _major_roads(roads, arms) if control in ("yield", "stop") else ()
    surface = np.concatenate([corner.kerb for corner in corners])  # straight lines across the arms join them
    return Junction(junction_id, tuple(arms), tuple(connections), control, surface, corners, major), connecting


def sidewalk_corners(roads: Mapping[int, Road], arms: Sequence[Arm]) -> tuple[Corner, ...]:
    """Return the corner after each arm; arms are clockwise."""
    following = [*arms[1:], *arms[:1]]
    return tuple(_corner(roads, arm, after) for arm, after in zip(arms, following, strict=True))


def turn_between(roads: Mapping[int, Road], incoming: Arm, outgoing: Arm) -> str:
    """Return the turn of the movement from one arm to another: "left", "straight" or "right"."""
    begin, end = (arm_pose(roads[arm.road], arm.contact) for arm in (incoming, outgoing))
    return _turn(begin, end)[0]


def arm_pose(road: Road, contact: str, t: float = 0.0) -> Pose:
    """Return x, y, yaw at a road's end, looking out of the junction; `t` is to the right in that direction."""
    outwards = contact == "start"
    pose = road.pose(0.0 if outwards else road.length, t if outwards else -t)
    return pose.x, pose.y, pose.yaw if outwards else wrap_degrees(pose.yaw + 180.0)


def _reversed(pose: Pose) -> Pose:
    return pose[0], pose[1], wrap_degrees(pose[2] + 180.0)


def _turn(incoming: Pose, outgoing: Pose) -> tuple[str, float]:
    """Return name and angle of the movement between two arms, whose poses look outwards."""
    angle = wrap_degrees(outgoing[2] - incoming[2] - 180.0)
    if abs(angle) < STRAIGHT_TURN:
        return "straight", angle
    return ("right" if angle > 0.0 else "left"), angle


def _movements(roads: Mapping[int, Road], arms: Sequence[Arm]) -> Iterator[tuple[Arm, Arm, int, int, str]]:
    """Yield (incoming arm, outgoing arm, from lane, to lane, turn) of every movement except U-turns."""
    for incoming in arms:
        source = roads[incoming.road]
        others = [arm for arm in arms if arm != incoming]
        lanes = source.lanes_towards(incoming.contact)
        for outgoing in others:
            targets = roads[outgoing.road].lanes_away_from(outgoing.contact)
            turn = turn_between(roads, incoming, outgoing)
            for from_lane, to_lane in _lane_pairs(turn, lanes, targets):
                yield incoming, outgoing, from_lane, to_lane, turn


def _lane_pairs(turn: str, lanes: Sequence[int], targets: Sequence[int]) -> list[tuple[int, int]]:
    """Pair incoming with outgoing lanes, inner ones first: turns stay on their side, straight on keeps the lane."""
    if turn == "left":
        return [(lanes[0], targets[0])]
    if turn == "right":
        return [(lanes[-1], targets[-1])]
    count = max(len(lanes), len(targets))
    return [(lanes[min(i, len(lanes) - 1)], targets[min(i, len(targets) - 1)]) for i in range(count)]


def _connecting_road(road_id: int, junction_id: int, source: LaneEnd, target: LaneEnd, turn: str) -> Road:
    """Return the one-lane road between two lanes; its reference line is the lane's left border."""
    (incoming, in_contact, from_lane), (outgoing, out_contact, to_lane) = source, target
    # in the direction of travel, the left border of a lane is the inner one
    begin = _reversed(arm_pose(incoming, in_contact, -abs(incoming.edges(from_lane)[0])))
    end = arm_pose(outgoing, out_contact, abs(outgoing.edges(to_lane)[0]))
    # a wider right turn would cut across the kerb
    to_kerb = min(_to_kerb(incoming, from_lane), _to_kerb(outgoing, to_lane))
    radius = KERB_RADIUS + to_kerb if turn == "right" else None
    lane = Lane(-1, "driving", incoming.lane(from_lane).width, from_lane, to_lane)
    return Road(
        id=road_id,
        name=f"{incoming.name} to {outgoing.name}",
        pieces=curves.connect(begin, end, radius),
        left=(),
        right=(lane,),
        predecessor=Link("road", incoming.id, in_contact),
        successor=Link("road", outgoing.id, out_contact),
        junction=junction_id,
        speed=min(incoming.speed, outgoing.speed),
    )


def _to_kerb(road: Road, lane: int) -> float:
    """Return the metres from a lane's left border, in its direction of travel, to the kerb on its right."""
    return abs(road.kerb("right" if lane < 0 else "left")) - abs(road.edges(lane)[0])


def _side(contact: str, clockwise: bool) -> str:
    """Return the side of a road that is the clockwise (or counterclockwise) one of its arm."""
    return "right" if clockwise == (contact == "start") else "left"


def _corner(roads: Mapping[int, Road], arm: Arm, following: Arm) -> Corner:
    """Return the sidewalk from one arm's clockwise side to the next arm's other side. following: the next arm."""
    a, b = roads[arm.road], roads[following.road]
    a_side, b_side = _side(arm.contact, True), _side(following.contact, False)
    begin_width = abs(a.border(a_side)) - abs(a.kerb(a_side))
    lines = []
    for offset, inset in ((Road.kerb, 0.0), (Road.border, begin_width)):
        begin = _reversed(arm_pose(a, arm.contact, abs(offset(a, a_side))))
        end = arm_pose(b, following.contact, -abs(offset(b, b_side)))
        lines.append(curves.connect(begin, end, max(KERB_RADIUS - inset, 0.5)))
    kerb, back = lines
    count = max(_point_count(kerb), _point_count(back))
    return Corner(_points(kerb, count), _points(back, count))


def _point_count(curve: Curve) -> int:
    """Return the number of points that a kerb needs."""
    step = ARC_STEP if any(piece.curvature for piece in curve) else LINE_STEP
    return math.ceil(curves.curve_length(curve) / step) + 1


def _points(curve: Curve, count: int) -> np.ndarray:
    """Return `count` points (count, 2) at equal distances along a curve."""
    x, y, _ = curves.evaluate(curve, np.linspace(0.0, curves.curve_length(curve), count))
    return np.stack([x, y], axis=1)


def _major_roads(roads: Mapping[int, Road], arms: Sequence[Arm]) -> tuple[int, ...]:
    """Return the two roads that continue each other; of several such pairs, the one with most lanes."""

    def preference(pair: tuple[Arm, Arm]) -> tuple[bool, int]:
        first, second = (arm_pose(roads[arm.road], arm.contact) for arm in pair)
        lanes = sum(len(roads[arm.road].lanes) for arm in pair)
        return (abs(_turn(first, second)[1]) >= STRAIGHT_TURN, -lanes)

    pairs = [(a, b) for i, a in enumerate(arms) for b in arms[i + 1 :]]
    return tuple(arm.road for arm in min(pairs, key=preference))
