"""Plane curves made of lines and circular arcs, used for reference lines and kerbs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulator.geometry import wrap_degrees

MIN_LENGTH = 1e-6  # metres; shorter pieces are left out
MAX_SAMPLE_TURN = math.radians(4.0)  # between two samples of an arc; at 50 m radius the chord is 3 cm off
MIN_CURVATURE = 1e-9  # 1/metre; a piece with a smaller curvature is a line


@dataclass(frozen=True)
class Piece:
    """A line (curvature 0) or an arc.

    x, y: start, metres. yaw: direction at the start, degrees. length: metres.
    curvature: 1/metres, positive turns right (the yaw grows).
    """

    x: float
    y: float
    yaw: float
    length: float
    curvature: float = 0.0

    def at(self, distance: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y in metres and yaw in degrees at distances (any shape) from the start."""
        distance = np.asarray(distance, dtype=np.float64)
        start = math.radians(self.yaw)
        turned = distance * self.curvature
        # sin(u)/u keeps nearly straight arcs exact, where 1/curvature would lose precision
        chord = distance * np.sinc(turned / (2.0 * np.pi))
        x = self.x + chord * np.cos(start + turned / 2.0)
        y = self.y + chord * np.sin(start + turned / 2.0)
        return x, y, self.yaw + np.degrees(turned)

    def end(self) -> tuple[float, float, float]:
        """Return x, y and yaw at the end."""
        x, y, yaw = self.at(self.length)
        return float(x), float(y), wrap_degrees(float(yaw))

    def shifted(self, t: float) -> Piece:
        """Return the parallel piece `t` metres to the right; raise ValueError if that is past the arc's centre."""
        yaw = math.radians(self.yaw)
        scale = 1.0 - t * self.curvature
        if scale <= 0.0:
            raise ValueError(f"An arc of radius {abs(1.0 / self.curvature):g} m has no parallel {t:g} m to its right.")
        return Piece(
            self.x - t * math.sin(yaw),
            self.y + t * math.cos(yaw),
            self.yaw,
            self.length * scale,
            self.curvature / scale,
        )


Curve = tuple[Piece, ...]
Pose = tuple[float, float, float]  # x and y in metres, yaw in degrees


def curve_length(curve: Sequence[Piece]) -> float:
    """Return the length of a curve, metres."""
    return sum(piece.length for piece in curve)


def stations(curve: Sequence[Piece], step: float, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Return distances (n,) float64, ascending, that sample start..end at most `step` metres apart.

    On tight arcs they are closer, at most MAX_SAMPLE_TURN apart. They include both ends and every joint of two
    pieces in between.
    """
    end = curve_length(curve) if end is None else end
    parts = []
    begin = 0.0
    for piece in curve:
        low, high = max(begin, start), min(begin + piece.length, end)
        if high - low > MIN_LENGTH:
            spacing = min(step, MAX_SAMPLE_TURN / abs(piece.curvature)) if piece.curvature else step
            count = max(1, math.ceil((high - low) / spacing - MIN_LENGTH))
            parts.append(np.linspace(low, high, count, endpoint=False))
        begin += piece.length
    return np.append(np.concatenate(parts), end) if parts else np.array([start, end])


def evaluate(curve: Sequence[Piece], s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and yaw (degrees), each (n,) float64, at distances s; beyond an end, extend the piece there."""
    s = np.atleast_1d(np.asarray(s, dtype=np.float64))
    begins = np.concatenate([[0.0], np.cumsum([piece.length for piece in curve])[:-1]])
    index = np.clip(np.searchsorted(begins, s, side="right") - 1, 0, len(curve) - 1)
    result = np.empty((3, len(s)))
    for i in np.unique(index):
        chosen = index == i
        result[:, chosen] = curve[i].at(s[chosen] - begins[i])
    return result[0], result[1], result[2]


def trim(curve: Sequence[Piece], start: float, end: float) -> Curve:
    """Return the part of a curve between two distances."""
    parts = []
    begin = 0.0
    for piece in curve:
        low, high = max(start - begin, 0.0), min(end - begin, piece.length)
        if high - low > MIN_LENGTH:
            x, y, yaw = piece.at(low)
            parts.append(Piece(float(x), float(y), float(yaw), high - low, piece.curvature))
        begin += piece.length
    return tuple(parts)


def chain(start: Pose, steps: Sequence[tuple[float, float]]) -> Curve:
    """Return pieces of the given (length, curvature), each starting at the end of the one before; see `Piece`."""
    pieces: list[Piece] = []
    for length, curvature in steps:
        if length > MIN_LENGTH:
            curvature = curvature if abs(curvature) > MIN_CURVATURE else 0.0
            pieces.append(Piece(*(pieces[-1].end() if pieces else start), length, curvature))
    return tuple(pieces)


def connect(a: Pose, b: Pose, radius: float | None = None) -> Curve:
    """Return a curve without kinks from pose `a` to pose `b`.

    If the lines through the poses meet ahead of `a` and behind `b`, the curve follows them and rounds the corner
    with the given radius, or the largest that fits. Otherwise it consists of two arcs.
    """
    turn = math.radians(wrap_degrees(b[2] - a[2]))
    (ux, uy), (wx, wy) = _direction(a[2]), _direction(b[2])
    dx, dy = b[0] - a[0], b[1] - a[1]
    offset = ux * dy - uy * dx
    if abs(turn) < 1e-6 and abs(offset) < 1e-6:
        return chain(a, [(math.hypot(dx, dy), 0.0)])
    if 1e-3 < abs(turn) < math.radians(175.0):
        before = (dx * wy - dy * wx) / math.sin(turn)
        after = offset / math.sin(turn)
        if min(before, after) > 0.0:
            tangent = min(before, after)
            if radius is not None:
                tangent = min(tangent, radius * math.tan(abs(turn) / 2.0))
            arc_radius = tangent / math.tan(abs(turn) / 2.0)
            arc = (arc_radius * abs(turn), math.copysign(1.0 / arc_radius, turn))
            return chain(a, [(before - tangent, 0.0), arc, (after - tangent, 0.0)])
    return _two_arcs(a, b)


def rounded_polyline(points: Sequence[tuple[float, float]], radii: Sequence[float]) -> Curve:
    """Return the polyline through `points` with its inner corners rounded; raise ValueError if a radius does not fit.

    radii: one per inner corner, metres.
    """
    yaws = [math.degrees(math.atan2(q[1] - p[1], q[0] - p[0])) for p, q in pairwise(points)]
    steps: list[tuple[float, float]] = []
    used = 0.0  # metres of the current side that the previous corner takes
    for i, (p, q) in enumerate(pairwise(points)):
        side = math.dist(p, q) - used
        if i == len(radii):
            steps.append((side, 0.0))
            break
        turn = math.radians(wrap_degrees(yaws[i + 1] - yaws[i]))
        used = radii[i] * math.tan(abs(turn) / 2.0)
        if used > side or used > math.dist(q, points[i + 2]):
            raise ValueError(f"A radius of {radii[i]} m does not fit at the corner {q}.")
        steps += [(side - used, 0.0), (radii[i] * abs(turn), math.copysign(1.0 / radii[i], turn))]
    return chain((*points[0], yaws[0]), steps)


def _direction(yaw: float) -> tuple[float, float]:
    return math.cos(math.radians(yaw)), math.sin(math.radians(yaw))


def _two_arcs(a: Pose, b: Pose) -> Curve:
    """Return the biarc with equal control lengths: its arcs join halfway between the two control points."""
    (ux, uy), (wx, wy) = _direction(a[2]), _direction(b[2])
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = dx * (ux + wx) + dy * (uy + wy)
    square = dx * dx + dy * dy
    bend = 2.0 * (1.0 - ux * wx - uy * wy)
    # control length c > 0 that solves bend c^2 + 2 along c - square = 0, in the form that also works for bend = 0
    control = square / (along + math.sqrt(along * along + bend * square))
    joint = (a[0] + b[0] + control * (ux - wx)) / 2.0, (a[1] + b[1] + control * (uy - wy)) / 2.0
    first = _arc_to(a, joint)
    return chain(a, [first, _arc_to((*joint, a[2] + math.degrees(first[0] * first[1])), b[:2])])


def _arc_to(pose: Pose, point: tuple[float, float]) -> tuple[float, float]:
    """Return (length, curvature) of the arc that leaves `pose` and ends at `point`."""
    ux, uy = _direction(pose[2])
    dx, dy = point[0] - pose[0], point[1] - pose[1]
    half_turn = math.atan2(ux * dy - uy * dx, ux * dx + uy * dy)
    chord = math.hypot(dx, dy)
    if abs(half_turn) < 1e-9:
        return chord, 0.0
    length = chord * half_turn / math.sin(half_turn)
    return length, 2.0 * half_turn / length
