"""The land under construction: what has been put up so far, and the character of its quarters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing.mesh import (
    GROUND,
    NO_SHADOW,
    PAVED,
    SIDEWALK,
    Look,
    Mesh,
    Triangles,
    placed,
    turn_matrix,
)
from simulator.drawing.people import linear
from simulator.drawing.street import VERGE_HEIGHT, Land
from simulator.geometry import Transform
from simulator.roads import curves
from simulator.roads.ground import KERB_HEIGHT
from simulator.roads.road_network import Road, RoadNetwork

SOIL = Look(GROUND, (0.46, 0.44, 0.42), "soil", NO_SHADOW)


DRIVE = Look(GROUND, (0.62, 0.58, 0.54), "setts", NO_SHADOW | PAVED)


FORECOURT = Look(SIDEWALK, (0.72, 0.70, 0.68), "setts", NO_SHADOW | PAVED)


TREES = ("lime", "maple", "plane", "birch", "beech", "poplar", "spruce")


ZONES = ("centre", "estate", "houses", "park", "office")


SHARES = {  # of the zones, by map
    "Eastfield": (0.42, 0.10, 0.26, 0.12, 0.10),
    "Millbrook": (0.16, 0.08, 0.58, 0.16, 0.02),
    "Westgate": (0.16, 0.30, 0.18, 0.12, 0.24),
}


EVEN = (0.25, 0.2, 0.3, 0.15, 0.1)


class Axis:
    """A road's reference line, sampled finely: asking a road itself takes far longer."""

    STEP = 0.5

    def __init__(self, road: Road) -> None:
        self.s = np.linspace(0.0, road.length, max(2, int(road.length / self.STEP)))
        self.x, self.y, yaw = curves.evaluate(road.pieces, self.s)
        self.yaw = np.degrees(np.unwrap(np.radians(yaw)))

    def pose(self, s: float, t: float = 0.0) -> Transform:
        """As `Road.pose`; past an end it goes straight on."""
        yaw = float(np.interp(s, self.s, self.yaw))
        cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        past = min(s, 0.0) + max(s - self.s[-1], 0.0)
        x, y = float(np.interp(s, self.s, self.x)), float(np.interp(s, self.s, self.y))
        return Transform(x + past * cos - t * sin, y + past * sin + t * cos, yaw=yaw)


@dataclass
class Site:
    """What has been put up so far. parts: `Triangles`, one for each thing.
    props: (model name, matrix, tint). footprints: outlines of buildings."""

    network: RoadNetwork
    land: Land
    rng: np.random.Generator
    parts: list[Triangles] = field(default_factory=list)
    props: list[tuple[str, np.ndarray, tuple[float, float, float]]] = field(default_factory=list)
    footprints: list[np.ndarray] = field(default_factory=list)
    axes: dict[int, Axis] = field(default_factory=dict)

    def pose(self, road: Road, s: float, t: float = 0.0) -> Transform:
        """A pose beside a road."""
        if road.id not in self.axes:
            self.axes[road.id] = Axis(road)
        return self.axes[road.id].pose(s, t)

    def put(
        self,
        name: str,
        x: float,
        y: float,
        z: float = KERB_HEIGHT,
        yaw: float = 0.0,
        scale: float = 1.0,
        tint: tuple[float, float, float] = (0.5, 0.5, 0.5),
    ) -> None:
        """Adds a model."""
        self.props.append((name, turn_matrix(x, y, z, yaw, scale), tint))

    def tree(self, x: float, y: float, kinds: tuple[str, ...] = TREES, scale: float = 1.0) -> None:
        """Adds a tree of some kind."""
        kind = kinds[self.rng.integers(len(kinds))]
        name = f"tree {kind} {self.rng.integers(3)}"
        self.put(name, x, y, VERGE_HEIGHT - 0.02, self.rng.uniform(0, 360), scale * self.rng.uniform(0.85, 1.15))


def zone_centres(network: RoadNetwork, land: Land, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Points (n, 2) about which the town has one character, and these characters."""
    rows, columns = land.used.shape
    count = 16
    points = land.corner + rng.random((count, 2)) * np.array([columns, rows]) * land.CELL
    shares = SHARES.get(network.name, EVEN)
    drawn = np.concatenate([np.repeat(np.arange(5), np.round(np.array(shares) * count).astype(int)), np.arange(5)])
    kinds = rng.permutation(drawn[:count])
    return points, [ZONES[k] for k in kinds]


def zone_at(zones: tuple[np.ndarray, list[str]], x: float, y: float) -> str:
    """The character of the nearest centre."""
    points, kinds = zones
    return kinds[int(np.argmin(np.hypot(points[:, 0] - x, points[:, 1] - y)) % len(kinds))]


def facing_street(site: Site, road: Road, side: str, s: float, away: float) -> np.ndarray:
    """Matrix (4, 4) of a thing `away` metres behind the sidewalk that looks at the street along x."""
    sign = 1.0 if side == "right" else -1.0
    pose = site.pose(road, s, road.border(side) + sign * away)
    return turn_matrix(pose.x, pose.y, VERGE_HEIGHT, pose.yaw - 90.0 * sign)


def rectangle(matrix: np.ndarray, x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    """A rectangle's corners (4, 2) in the world."""
    local = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return local @ matrix[:2, :2].T + matrix[:2, 3]


BIN_TINTS = ((0.03, 0.10, 0.05), (0.04, 0.04, 0.045), (0.04, 0.08, 0.20), (0.30, 0.22, 0.03))


def pave(site: Site, matrix: np.ndarray, half_depth: float, half_width: float, look: Look) -> None:
    """A rectangle of another ground, just above the lawn, with `matrix` in its middle."""
    mesh = Mesh()
    x, y = half_depth, half_width
    corners = np.array([(-x, -y, 0.008), (x, -y, 0.008), (x, y, 0.008), (-x, y, 0.008)])
    mesh.quads([corners], look.but(lift=1.0006), corners[:, :2] / 2.2)
    site.parts.append(placed(mesh.build(), matrix))


def add_car(site: Site, matrix: np.ndarray) -> None:
    """A parked car of some make and colour."""
    names = [name for name, entry in CATALOGUE.items() if entry.kind == "car"]
    name = names[site.rng.integers(len(names))]
    colours = CATALOGUE[name].colours
    site.props.append((f"vehicle {name} parked", matrix, linear(colours[site.rng.integers(len(colours))])))
