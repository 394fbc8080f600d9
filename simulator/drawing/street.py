"""The ground, built from the road network: roads, junctions, kerbs, sidewalks, markings and lawns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from simulator.drawing.mesh import (
    CUTOUT,
    NO_SHADOW,
    PAVED,
    ROAD,
    ROAD_LINE,
    SIDEWALK,
    TERRAIN,
    UNIT,
    Look,
    Mesh,
)
from simulator.roads.ground import KERB_HEIGHT
from simulator.roads.road_network import Marking, Road, RoadNetwork

KERB_WIDTH, VERGE_HEIGHT = 0.16, 0.125  # metres; the verge is the lawn beside the sidewalk
MARGIN = 60.0  # metres of ground around the outermost roads
PAINT_DEPTH_FACTOR = 1.0015  # of paint over the road, see `Look`

FLAT = NO_SHADOW | PAVED
ASPHALT = Look(ROAD, (0.62, 0.62, 0.63), "asphalt", FLAT)
LANE = Look(ROAD, (0.62, 0.62, 0.63), "lane", FLAT)
SLABS = Look(SIDEWALK, (0.80, 0.80, 0.80), "paving", FLAT)
KERB = Look(SIDEWALK, (0.92, 0.92, 0.90), "concrete", FLAT)
LAWN = Look(TERRAIN, (0.78, 0.80, 0.74), "grass", NO_SHADOW)
WHITE = Look(ROAD_LINE, (0.86, 0.86, 0.84), "paint", FLAT, depth_factor=PAINT_DEPTH_FACTOR)
YELLOW = WHITE.replace(colour=(0.80, 0.52, 0.10))


def draw_ground(mesh: Mesh, network: RoadNetwork, land: Land) -> None:
    """Add the whole ground of a town."""
    for road in network.streets:
        draw_road(mesh, road)
    for junction in network.junctions.values():
        draw_polygon(mesh, junction.surface, 0.0, ASPHALT, 0.2)
        for corner in junction.corners:
            draw_sidewalk(mesh, corner.kerb, corner.back)
    for marking in network.markings:
        draw_marking(mesh, marking)
    draw_road_symbols(mesh, network)
    draw_manholes(mesh, network)
    draw_lawns(mesh, land)


def draw_road(mesh: Mesh, road: Road) -> None:
    """Add one street, lane by lane."""
    for lane in road.lanes:
        inner, outer = road.lane_strip(lane.id)
        if lane.kind == "sidewalk":
            draw_sidewalk(mesh, inner, outer)
            continue
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(inner, axis=0), axis=1))])
        if lane.kind == "driving":
            draw_lane(mesh, inner, outer, along)
        else:
            mesh.strip(at_height(inner, 0), at_height(outer, 0), ASPHALT, 0.2, along)


def draw_lane(mesh: Mesh, inner: np.ndarray, outer: np.ndarray, along: np.ndarray) -> None:
    """Add a driving lane, its texture spanning its width.

    inner, outer (n, 2): its borders. along (n,): metres from its start.
    """
    a, b = at_height(inner, 0), at_height(outer, 0)
    corners = np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1)
    v0, v1 = along[:-1] / 4.2, along[1:] / 4.2
    zero, one = np.zeros_like(v0), np.ones_like(v0)
    uv = np.stack([np.stack([zero, v0], 1), np.stack([zero, v1], 1), np.stack([one, v1], 1), np.stack([one, v0], 1)], 1)
    if np.cross(corners[0, 1] - corners[0, 0], corners[0, 3] - corners[0, 0])[2] < 0:
        corners, uv = corners[:, ::-1], uv[:, ::-1]
    mesh.quads(corners, LANE, uv)


def at_height(line: np.ndarray, z: float) -> np.ndarray:
    """Return a line (n, 2) at height z: (n, 3)."""
    return np.column_stack([line, np.full(len(line), z)])


def draw_sidewalk(mesh: Mesh, kerb: np.ndarray, back: np.ndarray) -> None:
    """Add a sidewalk from its kerb (n, 2) to its back (n, 2)."""
    away = back - kerb
    away /= np.linalg.norm(away, axis=1, keepdims=True) + 1e-9
    edge = kerb + away * KERB_WIDTH
    mesh.strip(at_height(kerb, KERB_HEIGHT), at_height(edge, KERB_HEIGHT), KERB, 0.4)
    mesh.strip(at_height(edge, KERB_HEIGHT), at_height(back, KERB_HEIGHT), SLABS, 1 / 4.0)
    for line, look, inwards in ((kerb, KERB.replace(colour=(0.72, 0.72, 0.70)), -away), (back, KERB, away)):
        low, high = at_height(line, -0.05), at_height(line, KERB_HEIGHT)
        faces = np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)
        normal = np.cross(faces[:, 1] - faces[:, 0], faces[:, 3] - faces[:, 0])[:, :2]
        if np.sum(normal * inwards[:-1]) < 0:
            faces = faces[:, ::-1]
        mesh.quads(faces, look.replace(flags=NO_SHADOW), UNIT * [1.0, 0.1])


def draw_polygon(mesh: Mesh, outline: np.ndarray, z: float, look: Look, scale: float) -> None:
    """Add a flat simple polygon (n, 2), its first point not repeated.

    z: its height. scale: texture repeats per metre.
    """
    corners = outline[triangulate(outline)]
    flat = at_height(corners.reshape(-1, 2), z).reshape(-1, 3, 3)
    mesh.triangles(flat, look, corners * scale)


def triangulate(outline: np.ndarray) -> np.ndarray:
    """Return indices (n - 2, 3) of the triangles of a simple polygon (n, 2), each of positive area, by ear clipping."""
    index = list(range(len(outline)))
    x, y = outline.T
    if np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) < 0:
        index.reverse()
    ears = []
    while len(index) > 3:
        for i in range(len(index)):
            a, b, c = index[i - 1], index[i], index[(i + 1) % len(index)]
            rest = [k for k in index if k not in (a, b, c)]
            if is_ear(outline[a], outline[b], outline[c], outline[rest]):
                break
        ears.append((a, b, c))
        index.pop(i)
    return np.array([*ears, tuple(index)])


def is_ear(a: np.ndarray, b: np.ndarray, c: np.ndarray, others: np.ndarray) -> bool:
    """Return whether the corner a, b, c is convex and contains none of the other points (n, 2)."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    if side(a, b, c) <= 1e-9:
        return False
    inside = (side(a, b, others) >= 0) & (side(b, c, others) >= 0) & (side(c, a, others) >= 0)
    return not inside.any()


def draw_marking(mesh: Mesh, marking: Marking) -> None:
    """Add a solid or broken line of paint."""
    points = marking.points
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    look = YELLOW if marking.colour == "yellow" else WHITE
    spans = [(0.0, along[-1])]
    if marking.gap > 0:
        starts = np.arange(0.0, along[-1], marking.dash + marking.gap)
        spans = [(s, min(s + marking.dash, along[-1])) for s in starts]
    for start, end in spans:
        s = np.unique(np.concatenate([[start], along[(along > start) & (along < end)], [end]]))
        if len(s) < 2 or end - start < 0.05:
            continue
        line = np.stack([np.interp(s, along, points[:, i]) for i in (0, 1)], axis=1)
        direction = np.gradient(line, axis=0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        across = np.stack([-direction[:, 1], direction[:, 0]], axis=1) * marking.width / 2
        mesh.strip(at_height(line - across, 0), at_height(line + across, 0), look, 0.35, s)


def draw_road_symbols(mesh: Mesh, network: RoadNetwork) -> None:
    """Add zebra crossings, stop and yield lines and turn arrows."""
    quads = [stripe for crossing in network.crossings for stripe in crossing.stripes]
    for line in network.stop_lines:
        quads += [line.outline] if line.kind == "stop" else dashes(line.outline)
    for quad in quads:
        draw_quad(mesh, quad, WHITE)
    for arrow in network.arrows:
        turns = " ".join(turn for turn in ("left", "right", "straight") if turn in arrow.turns)  # as in `emblems`
        look = Look(ROAD_LINE, (0.86, 0.86, 0.84), f"arrow {turns}", FLAT | CUTOUT, depth_factor=PAINT_DEPTH_FACTOR)
        corners = np.array([(-2.2, 0.9), (-2.2, -0.9), (2.2, -0.9), (2.2, 0.9)])
        pose = arrow.transform.matrix()
        world = (np.column_stack([corners, np.zeros(4), np.ones(4)]) @ pose.T)[:, :3]
        world[:, 2] = 0.0
        uv = UNIT
        if np.cross(world[1] - world[0], world[3] - world[0])[2] < 0:
            world, uv = world[::-1], uv[::-1]
        mesh.quads([world], look, uv)


def draw_quad(mesh: Mesh, quad: np.ndarray, look: Look) -> None:
    """Add a painted quad (4, 2) on the road."""
    corners = at_height(quad, 0)
    if np.cross(corners[1] - corners[0], corners[2] - corners[0])[2] < 0:
        corners = corners[::-1]
    mesh.quads([corners], look, corners[:, :2] * 0.35)


def dashes(outline: np.ndarray) -> list[np.ndarray]:
    """Divide a bar (4, 2) into dashes along its longer side."""
    a, b, c, d = outline
    if np.linalg.norm(b - a) < np.linalg.norm(d - a):
        a, b, c, d = b, c, d, a
    count = max(2, round(float(np.linalg.norm(b - a)) / 0.9))
    steps = np.linspace(0, 1, 2 * count)
    pieces = zip(steps[::2], steps[1::2], strict=True)
    return [np.array([a + (b - a) * s, a + (b - a) * e, d + (c - d) * e, d + (c - d) * s]) for s, e in pieces]


def draw_manholes(mesh: Mesh, network: RoadNetwork) -> None:
    """Add manhole covers and repaired patches to the lanes."""
    rng = np.random.default_rng([network.seed, 77])
    iron = Look(ROAD, (0.10, 0.10, 0.11), "soil", FLAT, depth_factor=1.0008)
    patch = Look(ROAD, (0.40, 0.40, 0.42), "asphalt", FLAT, depth_factor=1.0006)
    for road in network.streets:
        lanes = [lane for lane in road.lanes if lane.kind == "driving"]
        if not lanes:
            continue
        for s in np.arange(9.0, road.length - 6, 19.0):
            lane = lanes[rng.integers(len(lanes))]
            s, shift = s + rng.uniform(-5, 5), rng.uniform(-0.5, 0.5)
            pose = road.pose(s, road.centre(lane.id) + shift).matrix()
            if rng.random() < 0.5:
                angle = np.linspace(0, 2 * np.pi, 15)[:-1]
                outline = 0.34 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
                look = iron
            else:
                half = rng.uniform(0.5, 1.2, 2) * [1.6, 0.6]
                outline = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
                look = patch
            draw_polygon(mesh, outline @ pose[:2, :2].T + pose[:2, 3], 0.0, look, 0.3)


@dataclass
class Land:
    """The use of the ground, as rasters with CELL metres per pixel whose first pixel is at `corner`.

    asphalt; paved: asphalt and sidewalks; used: nothing may be built there. All bool (rows, columns).
    """

    corner: np.ndarray
    asphalt: np.ndarray
    paved: np.ndarray
    used: np.ndarray

    CELL = 0.5

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return pixel coordinates (n, 2) int32 of points (n, 2) in metres."""
        return np.floor((np.asarray(points) - self.corner) / self.CELL).astype(np.int32)

    def is_free(self, outline: np.ndarray) -> bool:
        """Return whether no pixel inside a polygon (n, 2) is used; False outside the land."""
        pixels = self.pixels(outline)
        low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
        if low.min() < 0 or high[0] >= self.used.shape[1] or high[1] >= self.used.shape[0]:
            return False
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(mask, [pixels - low], 1)
        return not (self.used[low[1] : high[1], low[0] : high[0]] & (mask > 0)).any()

    def mark_used(self, outline: np.ndarray) -> None:
        """Mark a polygon (n, 2) as used."""
        cv2.fillPoly(self.used.view(np.uint8), [self.pixels(outline)], 1)


def survey(network: RoadNetwork) -> Land:
    """Return the land of a town before anything is built."""
    x0, y0, x1, y1 = network.bounds()
    # the borders lie on multiples of 32 m
    corner = np.floor(np.array([x0, y0]) / 32 - 2) * 32
    columns, rows = (np.ceil((np.array([x1, y1]) + MARGIN - corner) / 32) * 32 / Land.CELL).astype(int)
    land = Land(corner, *(np.zeros((rows, columns), bool) for _ in range(3)))
    for road in network.streets:
        for lane in road.lanes:
            layer = land.paved if lane.kind == "sidewalk" else land.asphalt
            cv2.fillPoly(layer.view(np.uint8), [land.pixels(road.lane_polygon(lane.id))], 1)
    for junction in network.junctions.values():
        cv2.fillPoly(land.asphalt.view(np.uint8), [land.pixels(junction.surface)], 1)
        for sidewalk_corner in junction.corners:
            outline = np.concatenate([sidewalk_corner.kerb, sidewalk_corner.back[::-1]])
            cv2.fillPoly(land.paved.view(np.uint8), [land.pixels(outline)], 1)
    land.paved |= land.asphalt
    land.used |= land.paved
    return land


def draw_lawns(mesh: Mesh, land: Land) -> None:
    """Add grass wherever there is no asphalt, just below the sidewalks, which hide its jagged edge."""
    step = 4  # pixels; 2 m, less than the width of any sidewalk
    rows, columns = (n // step for n in land.asphalt.shape)
    free = ~land.asphalt[: rows * step, : columns * step].reshape(rows, step, columns, step).any(axis=(1, 3))
    size, block = step * land.CELL, 8
    quads = []  # one per block without asphalt, elsewhere one per run of free cells in a row
    for row in range(0, rows, block):
        for column in range(0, columns, block):
            part = free[row : row + block, column : column + block]
            if part.all():
                quads.append((column, row, column + part.shape[1], row + part.shape[0]))
                continue
            for i, line in enumerate(part):
                edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
                quads += [
                    (column + a, row + i, column + b, row + i + 1) for a, b in zip(edges[::2], edges[1::2], strict=True)
                ]
    low = np.array(quads)[:, :2] * size + land.corner
    high = np.array(quads)[:, 2:] * size + land.corner
    corners = np.stack([low, np.stack([high[:, 0], low[:, 1]], 1), high, np.stack([low[:, 0], high[:, 1]], 1)], axis=1)
    heights = np.full((*corners.shape[:2], 1), VERGE_HEIGHT)
    mesh.quads(np.concatenate([corners, heights], axis=2), LAWN, corners / 7.0)
