"""The road network: roads with lanes, junctions, crossings, signals.

Everything is in CARLA's frame (x forward, y right), in metres and degrees, on the plane z = 0.
Positions on a road refer to its reference line: `s` metres from its start, `t` metres to the RIGHT of it.
Lane ids are OpenDRIVE's: -1, -2, ... to the right of the reference line, outwards; 1, 2, ... to the left.
Traffic keeps to the right: lanes with negative ids run along s, those with positive ids against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from simulator.geometry import Transform, wrap_degrees
from simulator.roads import curves
from simulator.roads.curves import Curve


@dataclass(frozen=True)
class Lane:
    """One lane of constant width.

    kind: "driving", "parking", "shoulder" (asphalt between traffic and kerb) or "sidewalk" (behind the kerb).
    predecessor, successor: ids of the lanes that join it at s = 0 and at s = length; None at a junction or dead end.
    marking: the line on its outer edge: "none", "solid" or "broken".
    """

    id: int
    kind: str
    width: float
    predecessor: int | None = None
    successor: int | None = None
    marking: str = "none"


@dataclass(frozen=True)
class Link:
    """What a road connects to. kind: "road" or "junction". contact: "start" or "end" of that road; "" at a junction."""

    kind: str
    id: int
    contact: str = ""


@dataclass(frozen=True)
class Road:
    """A street between two junctions, or (junction >= 0) one turning movement inside a junction.

    Roads inside a junction overlap: draw `Junction.surface` instead of them. They have one lane, -1.
    pieces: the reference line. left, right: lanes from it outwards. predecessor, successor: what is joined to its start
    and end. junction: id of the junction that it is part of, -1 if none. speed: limit, km/h.
    centre_marking: line on the reference line: "none", "solid", "broken" or "solid solid" (a double line).
    centre_colour: "white" or "yellow"; all other lines are white.
    """

    id: int
    name: str
    pieces: Curve
    left: tuple[Lane, ...]
    right: tuple[Lane, ...]
    predecessor: Link | None = None
    successor: Link | None = None
    junction: int = -1
    speed: float = 50.0
    centre_marking: str = "none"
    centre_colour: str = "white"

    @cached_property
    def length(self) -> float:
        """The length of the reference line, metres."""
        return curves.curve_length(self.pieces)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All lanes from the leftmost to the rightmost."""
        return (*reversed(self.left), *self.right)

    def lane(self, lane_id: int) -> Lane:
        """Return the lane with this id; raise KeyError if there is none."""
        for lane in self.left if lane_id > 0 else self.right:
            if lane.id == lane_id:
                return lane
        raise KeyError(f"Road {self.id} has no lane {lane_id}.")

    def edges(self, lane_id: int) -> tuple[float, float]:
        """Return (inner, outer) t of a lane's borders; both <= 0 for lanes on the left."""
        side = self.left if lane_id > 0 else self.right
        sign = -1.0 if lane_id > 0 else 1.0
        widths = [lane.width for lane in side[: abs(lane_id)]]
        return sign * sum(widths[:-1]), sign * sum(widths)

    def centre(self, lane_id: int) -> float:
        """Return the t of a lane's centre line."""
        return sum(self.edges(lane_id)) / 2.0

    def kerb(self, side: str) -> float:
        """Return the t of the kerb on the "left" (<= 0) or "right", which separates asphalt and sidewalk, if any."""
        lanes, sign = (self.left, -1.0) if side == "left" else (self.right, 1.0)
        return sign * sum(lane.width for lane in lanes if lane.kind != "sidewalk")

    def border(self, side: str) -> float:
        """Return the t of the outermost lane's outer edge on the "left" (<= 0) or "right"."""
        lanes, sign = (self.left, -1.0) if side == "left" else (self.right, 1.0)
        return sign * sum(lane.width for lane in lanes)

    def lanes_towards(self, contact: str) -> tuple[int, ...]:
        """Return the ids of the driving lanes, inner ones first, that run towards the road's "start" or "end"."""
        lanes = self.right if contact == "end" else self.left
        return tuple(lane.id for lane in lanes if lane.kind == "driving")

    def lanes_away_from(self, contact: str) -> tuple[int, ...]:
        """Return the ids of the driving lanes, inner ones first, that start at the road's "start" or "end"."""
        return self.lanes_towards("start" if contact == "end" else "end")

    def station(self, contact: str, distance: float) -> float:
        """Return the s that lies `distance` metres inside the road, measured from its "start" or "end"."""
        return distance if contact == "start" else self.length - distance

    def quad(self, s0: float, s1: float, t0: float, t1: float) -> np.ndarray:
        """Return the corners (4, 2), in order, of the area between two s and two t."""
        return self.points(np.array([s0, s1, s1, s0]), np.array([t0, t0, t1, t1]))

    def stations(self, step: float = 2.0, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """Return distances s (n,), ascending, that sample the road as `curves.stations` does."""
        return curves.stations(self.pieces, step, start, end)

    def points(self, s: np.ndarray, t: np.ndarray | float = 0.0) -> np.ndarray:
        """Return positions (n, 2) float64 for s (n,) and t, a number or (n,)."""
        x, y, yaw = curves.evaluate(self.pieces, s)
        return np.stack([x - t * np.sin(np.radians(yaw)), y + t * np.cos(np.radians(yaw))], axis=1)

    def pose(self, s: float, t: float = 0.0) -> Transform:
        """Return the pose `t` metres right of the reference line, looking along s."""
        ((x, y),) = self.points(np.array([s]), t)
        yaw = curves.evaluate(self.pieces, s)[2][0]
        return Transform(float(x), float(y), yaw=wrap_degrees(float(yaw)))

    def lane_pose(self, lane_id: int, s: float) -> Transform:
        """Return the pose on a lane's centre line, looking in its direction of travel."""
        pose = self.pose(s, self.centre(lane_id))
        return pose if lane_id < 0 else Transform(pose.x, pose.y, yaw=wrap_degrees(pose.yaw + 180.0))

    def lane_centre(self, lane_id: int, step: float = 2.0) -> np.ndarray:
        """Return the centre line (n, 2) of a lane in its direction of travel."""
        line = self.points(self.stations(step), self.centre(lane_id))
        return line if lane_id < 0 else line[::-1]

    def strip(self, t0: float, t1: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the two borders (n, 2), (n, 2), along s, of the band between t0 and t1.

        Points i and i + 1 of both form a quad.
        """
        s = self.stations()
        return self.points(s, t0), self.points(s, t1)

    def lane_strip(self, lane_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the (inner, outer) borders (n, 2) of a lane along s."""
        return self.strip(*self.edges(lane_id))

    def lane_polygon(self, lane_id: int) -> np.ndarray:
        """Return the outline (2n, 2) of a lane, not closed (the first point is not repeated)."""
        inner, outer = self.lane_strip(lane_id)
        return np.concatenate([inner, outer[::-1]])


@dataclass(frozen=True)
class Arm:
    """A road's end at a junction. road: its id. contact: "start" or "end" of the road."""

    road: int
    contact: str


@dataclass(frozen=True)
class Connection:
    """A turning movement, from lane `from_lane` of road `incoming` to lane `to_lane` of road `outgoing`.

    road: the road inside the junction that it follows, on lane -1; all roads are given by id. turn: "left", "straight"
    or "right".
    """

    id: int
    incoming: int
    from_lane: int
    road: int
    outgoing: int
    to_lane: int
    turn: str


@dataclass(frozen=True)
class Corner:
    """The sidewalk around one corner of a junction, between neighbouring arms.

    kerb, back: (n, 2) each, from one arm's end to the other's: the edge at the asphalt, and the opposite edge.
    Points i and i + 1 of both form a quad. The band joins the arms' sidewalk lanes.
    """

    kerb: np.ndarray
    back: np.ndarray


@dataclass(frozen=True)
class Junction:
    """Where three or four roads meet.

    arms: clockwise as seen from above. control: "lights", "yield" or "stop" (on the minor roads) or "none".
    surface: outline (n, 2) of the asphalt, clockwise, not closed; it joins the asphalt of the arms without gaps
    or overlaps. corners[i] lies between arms[i] and arms[i + 1].
    major: ids of the roads that have priority under "yield" and "stop"; empty otherwise.
    """

    id: int
    arms: tuple[Arm, ...]
    connections: tuple[Connection, ...]
    control: str
    surface: np.ndarray
    corners: tuple[Corner, ...]
    major: tuple[int, ...] = ()


@dataclass(frozen=True)
class Crossing:
    """A zebra crossing, from kerb to kerb.

    road: id. s: its middle on the road. width: metres along s. outline: (4, 2), not closed.
    stripes: (n, 4, 2), the painted bars. junction: id of the junction that it lies at, -1 if none.
    """

    id: int
    road: int
    s: float
    width: float
    outline: np.ndarray
    stripes: np.ndarray
    junction: int = -1


@dataclass(frozen=True)
class StopLine:
    """A line across the lanes that enter a junction. outline: (4, 2), not closed.

    road: id. s: its middle on the road. lanes: those that it applies to. kind: "stop" (a solid line) or "yield" (a
    broken one).
    """

    road: int
    s: float
    lanes: tuple[int, ...]
    outline: np.ndarray
    kind: str = "stop"


@dataclass(frozen=True)
class Signal:
    """A traffic light or a sign on a pole.

    kind: "traffic_light", "stop", "yield" or "speed_limit". value: km/h of a speed limit, otherwise 0.
    transform: foot of the pole; its yaw is the direction that the face looks, towards the governed traffic.
    reach: length of the mast arm, metres to the left as seen by the governed traffic; 0 without an arm.
    junction: id, -1 for a speed limit. phase: lights of one junction with equal phase are green together.
    road, s, lanes: where it takes effect, and for which lanes; except for a speed limit, s is that of the stop line.
    stops: one pose for each of `lanes`: on the lane's centre at s, looking along the traffic.
    """

    id: int
    kind: str
    transform: Transform
    road: int
    s: float
    lanes: tuple[int, ...]
    stops: tuple[Transform, ...]
    junction: int = -1
    phase: int = 0
    reach: float = 0.0
    value: float = 0.0


@dataclass(frozen=True)
class Marking:
    """A painted line. points: (n, 2), at most 2 m apart; width: metres; colour: "white" or "yellow".

    dash, gap: metres with and without paint of a broken line, measured from the first point; gap 0: solid.
    """

    points: np.ndarray
    width: float
    colour: str = "white"
    dash: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True)
class Arrow:
    """A turn arrow on a lane. turns: some of "left", "straight", "right"; transform: pose of the arrow's middle."""

    transform: Transform
    turns: tuple[str, ...]


@dataclass(frozen=True)
class RoadNetwork:
    """The roads of a town. Equal (name, seed) give equal networks.

    roads: by id, including those inside junctions (`Road.junction` >= 0). junctions, signals: by id.
    """

    name: str
    seed: int
    roads: dict[int, Road]
    junctions: dict[int, Junction] = field(default_factory=dict)
    signals: dict[int, Signal] = field(default_factory=dict)
    crossings: tuple[Crossing, ...] = ()
    stop_lines: tuple[StopLine, ...] = ()
    markings: tuple[Marking, ...] = ()
    arrows: tuple[Arrow, ...] = ()

    @property
    def streets(self) -> tuple[Road, ...]:
        """The roads between junctions, which are drawn lane by lane."""
        return tuple(road for road in self.roads.values() if road.junction < 0)

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (x_min, y_min, x_max, y_max) over all lanes."""
        borders = [road.strip(road.border("left"), road.border("right")) for road in self.roads.values()]
        points = np.concatenate([line for pair in borders for line in pair])
        (x_min, y_min), (x_max, y_max) = points.min(axis=0), points.max(axis=0)
        return float(x_min), float(y_min), float(x_max), float(y_max)

    def spawn_points(self, spacing: float = 25.0, clearance: float = 15.0) -> list[Transform]:
        """Return poses for vehicles: on driving lanes of streets, z 0.3, `clearance` metres from the road's ends.

        Along a lane they are less than `spacing` metres apart.
        """
        poses = []
        for road in self.streets:
            usable = road.length - 2.0 * clearance
            if usable < 0.0:
                continue
            count = int(usable // spacing) + 1
            for lane in road.lanes:
                if lane.kind != "driving":
                    continue
                for s in clearance + (np.arange(count) + 0.5) * usable / count:
                    pose = road.lane_pose(lane.id, float(s))
                    poses.append(Transform(pose.x, pose.y, 0.3, yaw=pose.yaw))
        return poses
