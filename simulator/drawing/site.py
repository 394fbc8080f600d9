"""The construction site of a town: the parts and props added so far, and the zones of the town."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.mesh import (
    GROUND,
    NO_SHADOW,
    PAVED,
    SIDEWALK,
    LinearColour,
    Look,
    Mesh,
    Triangles,
    placed,
    pose_matrix,
)
from simulator.drawing.people import srgb_to_linear
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
ZONE_SHARES = {  # fraction of each of ZONES, by map
    "Eastfield": (0.42, 0.10, 0.26, 0.12, 0.10),
    "Millbrook": (0.16, 0.08, 0.58, 0.16, 0.02),
    "Westgate": (0.16, 0.30, 0.18, 0.12, 0.24),
}
DEFAULT_SHARES = (0.25, 0.2, 0.3, 0.15, 0.1)
BIN_TINTS = ((0.03, 0.10, 0.05), (0.04, 0.04, 0.045), (0.04, 0.08, 0.20), (0.30, 0.22, 0.03))


class Axis:
    """A road's reference line as finely sampled points, because evaluating the road itself is far slower."""

    STEP = 0.5  # metres

    def __init__(self, road: Road) -> None:
        self.s = np.linspace(0.0, road.length, max(2, int(road.length / self.STEP)))
        self.x, self.y, yaw = curves.evaluate(road.pieces, self.s)
        self.yaw = np.degrees(np.unwrap(np.radians(yaw)))

    def pose(self, s: float, t: float = 0.0) -> Transform:
        """Return the pose at s, t like `Road.pose`; beyond an end the line continues straight."""
        yaw = float(np.interp(s, self.s, self.yaw))
        cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        past = min(s, 0.0) + max(s - self.s[-1], 0.0)
        x, y = float(np.interp(s, self.s, self.x)), float(np.interp(s, self.s, self.y))
        return Transform(x + past * cos - t * sin, y + past * sin + t * cos, yaw=yaw)


@dataclass
class Site:
    """The town under construction.

    parts: one `Triangles` per object. props: (model name, matrix, tint). footprints: outlines (n, 2) of buildings.
    axes: cache of sampled reference lines by road id.
    """

    network: RoadNetwork
    land: Land
    rng: np.random.Generator
    parts: list[Triangles] = field(default_factory=list)
    props: list[tuple[str, np.ndarray, LinearColour]] = field(default_factory=list)
    footprints: list[np.ndarray] = field(default_factory=list)
    axes: dict[int, Axis] = field(default_factory=dict)

    def pose(self, road: Road, s: float, t: float = 0.0) -> Transform:
        """Return the pose at s along a road and t to its side, see `Road.pose`."""
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
        tint: LinearColour = (0.5, 0.5, 0.5),
    ) -> None:
        """Add a prop. name: of its model, see `models.ModelLibrary.model`."""
        self.props.append((name, pose_matrix(x, y, z, yaw, scale), tint))

    def tree(self, x: float, y: float, kinds: tuple[str, ...] = TREES, scale: float = 1.0) -> None:
        """Add a tree of a random kind out of `kinds`."""
        kind = kinds[self.rng.integers(len(kinds))]
        name = f"tree {kind} {self.rng.integers(3)}"
        self.put(name, x, y, VERGE_HEIGHT - 0.02, self.rng.uniform(0, 360), scale * self.rng.uniform(0.85, 1.15))


def zone_centres(network: RoadNetwork, land: Land, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Return random points (n, 2) and their zones; the zone of any place is that of the nearest point."""
    rows, columns = land.used.shape
    count = 16
    points = land.corner + rng.random((count, 2)) * np.array([columns, rows]) * land.CELL
    shares = ZONE_SHARES.get(network.name, DEFAULT_SHARES)
    indices = np.arange(len(ZONES))
    # the shares are rounded; if that leaves too few, one more of each zone fills the rest
    candidates = np.concatenate([np.repeat(indices, np.round(np.array(shares) * count).astype(int)), indices])
    zones = rng.permutation(candidates[:count])
    return points, [ZONES[k] for k in zones]


def zone_at(zones: tuple[np.ndarray, list[str]], x: float, y: float) -> str:
    """Return the zone of the centre nearest to x, y. zones: see `zone_centres`."""
    points, kinds = zones
    return kinds[int(np.argmin(np.hypot(points[:, 0] - x, points[:, 1] - y)) % len(kinds))]


def facing_street(site: Site, road: Road, side: str, s: float, away: float) -> np.ndarray:
    """Return the matrix (4, 4) of an object `away` metres behind the sidewalk whose x axis points to the street."""
    sign = 1.0 if side == "right" else -1.0
    pose = site.pose(road, s, road.border(side) + sign * away)
    return pose_matrix(pose.x, pose.y, VERGE_HEIGHT, pose.yaw - 90.0 * sign)


def rectangle(matrix: np.ndarray, x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    """Return the corners (4, 2), in the world, of a rectangle in the coordinates of `matrix`."""
    local = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return local @ matrix[:2, :2].T + matrix[:2, 3]


def pave(site: Site, matrix: np.ndarray, half_depth: float, half_width: float, look: Look) -> None:
    """Add a rectangle of another ground, just above the lawn, centred at `matrix`.

    half_depth, half_width: half its length along x and along y.
    """
    mesh = Mesh()
    x, y = half_depth, half_width
    corners = np.array([(-x, -y, 0.008), (x, -y, 0.008), (x, y, 0.008), (-x, y, 0.008)])
    mesh.quads([corners], look.replace(depth_factor=1.0006), corners[:, :2] / 2.2)
    site.parts.append(placed(mesh.build(), matrix))


def add_car(site: Site, matrix: np.ndarray) -> None:
    """Add a parked car of a random model and colour. matrix (4, 4): its pose."""
    names = [name for name, entry in CATALOGUE.items() if entry.kind == "car"]
    name = names[site.rng.integers(len(names))]
    colours = CATALOGUE[name].colours
    site.props.append((f"vehicle {name} parked", matrix, srgb_to_linear(colours[site.rng.integers(len(colours))])))
