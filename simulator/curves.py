"""Plane curves made of lines and circular arcs: what reference lines and kerbs consist of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.geometry import wrap_degrees

SHORTEST = 1e-6  # metres; shorter pieces are left out
STRAIGHT = 1e-9  # 1/metre; a smaller curvature is a line


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
        """x, y in metres and yaw in degrees at distances (any shape) from the start."""
        distance = np.asarray(distance, dtype=np.float64)
        start = math.radians(self.yaw)
        turned = distance * self.curvature
        # sin(u)/u keeps a nearly straight arc exact, where 1/curvature would lose digits
        chord = distance * np.sinc(turned / (2.0 * np.pi))
        x = self.x + chord * np.cos(start + turned / 2.0)
        y = self.y + chord * np.sin(start + turned / 2.0)
        return x, y, self.yaw + np.degrees(turned)

    def end(self) -> tuple[float, float, float]:
        """x, y and yaw at the end."""
        x, y, yaw = self.at(self.length)
        return float(x), float(y), wrap_degrees(float(yaw))

    def shifted(self, t: float) -> Piece:
        """The parallel curve `t` metres to the right."""
        yaw = math.radians(self.yaw)
        shrink = 1.0 - t * self.curvature
        return Piece(
            self.x - t * math.sin(yaw),
            self.y + t * math.cos(yaw),
            self.yaw,
            self.length * shrink,
            self.curvature / shrink,
        )


Curve = tuple[Piece, ...]
Pose = tuple[float, float, float]  # x, y, yaw


def curve_length(curve: Sequence[Piece]) -> float:
    """Metres."""
    return sum(piece.length for piece in curve)


def stations(curve: Sequence[Piece], step: float, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Distances (n,) float64, ascending, that sample start..end at most `step` metres apart.

    Both ends and every joint of two pieces between them are among the distances.
    """
    end = curve_length(curve) if end is None else end
    joints = np.cumsum([piece.length for piece in curve])[:-1]
    knots = [start, *(float(j) for j in joints if start + SHORTEST < j < end - SHORTEST), end]
    parts = [
        np.linspace(a, b, max(1, math.ceil((b - a) / step - SHORTEST)), endpoint=False)
        for a, b in zip(knots[:-1], knots[1:], strict=True)
    ]
    return np.append(np.concatenate(parts), end)


def evaluate(curve: Sequence[Piece], s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and yaw (degrees), each (n,) float64, at distances s; past an end the end piece goes on."""
    s = np.atleast_1d(np.asarray(s, dtype=np.float64))
    begins = np.concatenate([[0.0], np.cumsum([piece.length for piece in curve])[:-1]])
    index = np.clip(np.searchsorted(begins, s, side="right") - 1, 0, len(curve) - 1)
    result = np.empty((3, len(s)))
    for i in np.unique(index):
        chosen = index == i
        result[:, chosen] = curve[i].at(s[chosen] - begins[i])
    return result[0], result[1], result[2]


def polyline(curve: Sequence[Piece], step: float = 1.0) -> np.ndarray:
    """Points (n, 2) float64 along the curve, at most `step` metres apart."""
    x, y, _ = evaluate(curve, stations(curve, step))
    return np.stack([x, y], axis=1)
