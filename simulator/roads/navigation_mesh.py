"""The navigation mesh of a town, in the binary format of Recast and Detour that CARLA's client loads.

The client itself moves pedestrians (`controller.ai.walker`): it finds their paths on this mesh. The mesh consists
of convex polygons that share whole edges: along each street a band of sidewalk, one of asphalt (or crossing) and
one of sidewalk, divided at the same stations; around each corner of a junction another band of sidewalk.
Formats: Detour's navigation mesh, version 7, one tile, in CARLA's container "MSET", version 1. Detour's axes
are (x, height, y).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from simulator.roads.road_network import Road, RoadNetwork

SIDEWALK, CROSSING, ROAD = 1, 2, 3  # CARLA's area types
AREA_FLAGS = {SIDEWALK: 0x02, CROSSING: 0x04, ROAD: 0x08}

KERB_MARGIN = 0.8  # metres between walkers and the kerb, where poles stand; less on a narrow sidewalk
BACK_MARGIN = 0.4  # metres between walkers and the houses; less on a narrow sidewalk
MAX_POLYGON_LENGTH = 12.0  # metres along a street
MERGE_DISTANCE = 0.02  # metres; closer corners are merged
MIN_AREA = 0.01  # m^2
WALKER_HEIGHT, WALKER_RADIUS, WALKER_CLIMB = 1.8, 0.3, 0.5  # metres
POLYGON_BITS = 16  # of a polygon's index in a reference
MAX_CORNERS = 6  # of a polygon, fixed by the format

BOTTOM, TOP = -1.0, 1.0  # metres, heights between which the mesh lies
NO_LINK = 0xFFFFFFFF
LINK_SIZE = 12  # bytes, of the space for one link, which the client fills

SET_HEADER = struct.Struct("<iii3fffii")
TILE_HEADER = struct.Struct("<Ii")
MESH_HEADER = struct.Struct("<5iI9i3f3f3ff")
POLYGON = struct.Struct("<I6H6HHBB")
DETAIL = struct.Struct("<IIBBxx")


@dataclass
class NavigationMesh:
    """Polygons that share corners. `polygons`: (corner indices, area type) of each polygon."""

    points: list[tuple[float, float]] = field(default_factory=list)
    polygons: list[tuple[list[int], int]] = field(default_factory=list)
    _index: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, corners: np.ndarray, area: int) -> None:
        """Add a convex polygon, corners (n, 2) in either direction, unless it is smaller than MIN_AREA."""
        x, y = np.asarray(corners, float).T
        twice_area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1))
        if abs(twice_area) < 2.0 * MIN_AREA:
            return
        # Detour expects an order with the outside on the left, as seen from above in CARLA's axes
        ordered = corners if twice_area < 0.0 else corners[::-1]
        indices = list(dict.fromkeys(self._corner(point) for point in ordered))
        if len(indices) >= 3:
            self.polygons.append((indices, area))

    def _corner(self, point: np.ndarray) -> int:
        """Return the index of a corner, that of a nearby one if there is one."""
        x, y = (round(float(value) / MERGE_DISTANCE) for value in point)
        for key in ((x + dx, y + dy) for dx in (0, -1, 1) for dy in (0, -1, 1)):
            if key in self._index:
                return self._index[key]
        self._index[x, y] = len(self.points)
        self.points.append((float(point[0]), float(point[1])))
        return self._index[x, y]

    def neighbours(self) -> list[list[int]]:
        """Return, for each edge of each polygon, the polygon on its other side, counted from 1; 0 for none."""
        owners: dict[tuple[int, int], list[int]] = {}
        for number, (corners, _) in enumerate(self.polygons):
            for edge in edges(corners):
                owners.setdefault(edge, []).append(number)
        return [
            [next((other + 1 for other in owners[edge] if other != number), 0) for edge in edges(corners)]
            for number, (corners, _) in enumerate(self.polygons)
        ]


def edges(corners: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the edges of a polygon, each as its two corners in ascending order."""
    for a, b in itertools.pairwise([*corners, corners[0]]):
        yield min(a, b), max(a, b)


def build_navigation_mesh(network: RoadNetwork) -> NavigationMesh:
    """Build the mesh of everything that pedestrians can walk on."""
    mesh = NavigationMesh()
    crossings: dict[int, list[tuple[float, float]]] = {}
    for crossing in network.crossings:
        span = (crossing.s - crossing.width / 2.0, crossing.s + crossing.width / 2.0)
        crossings.setdefault(crossing.road, []).append(span)
    for road in network.streets:
        add_street(mesh, road, crossings.get(road.id, []))
    for junction in network.junctions.values():
        for corner in junction.corners:
            add_corner(mesh, corner.kerb, corner.back)
    return mesh


def add_street(mesh: NavigationMesh, road: Road, crossings: list[tuple[float, float]]) -> None:
    """Add the bands of a street. crossings: first and last s of each."""
    stations = np.concatenate([road.stations(MAX_POLYGON_LENGTH), *crossings])
    stations = np.unique(np.round(stations, 3))
    left_back, left_front = walkable_band(road.border("left"), road.kerb("left"))
    right_back, right_front = walkable_band(road.border("right"), road.kerb("right"))
    for s0, s1 in itertools.pairwise(stations):
        on_crossing = any(start - 0.01 <= s0 and s1 <= end + 0.01 for start, end in crossings)
        asphalt = (left_front, right_front, CROSSING if on_crossing else ROAD)
        for t0, t1, area in ((left_back, left_front, SIDEWALK), asphalt, (right_front, right_back, SIDEWALK)):
            near, far = road.points(np.array([s0, s1]), t0), road.points(np.array([s0, s1]), t1)
            mesh.add(np.concatenate([near, far[::-1]]), area)


def walkable_band(back: float, kerb: float) -> tuple[float, float]:
    """Return the t of the two edges, at the houses and at the kerb, between which pedestrians use a sidewalk.

    back, kerb: the t of the sidewalk's own edges.
    """
    width = abs(back - kerb)
    shrink = min(1.0, width / (2.0 * (KERB_MARGIN + BACK_MARGIN)))
    outwards = np.sign(back - kerb)
    return back - outwards * BACK_MARGIN * shrink, kerb + outwards * KERB_MARGIN * shrink


def add_corner(mesh: NavigationMesh, kerb: np.ndarray, back: np.ndarray) -> None:
    """Add the sidewalk around a corner of a junction, with the margins of the sidewalks that it joins.

    kerb, back: see `road_network.Corner`.
    """
    across = back - kerb
    width = np.linalg.norm(across, axis=1, keepdims=True)
    outwards = across / np.maximum(width, 1e-6)
    shrink = np.minimum(1.0, width / (2.0 * (KERB_MARGIN + BACK_MARGIN)))
    front, rear = kerb + outwards * KERB_MARGIN * shrink, back - outwards * BACK_MARGIN * shrink
    for i in range(len(kerb) - 1):
        mesh.add(np.array([front[i], front[i + 1], rear[i + 1], rear[i]]), SIDEWALK)


def encode_mesh(mesh: NavigationMesh) -> bytes:
    """Return the mesh as the file that CARLA's client loads."""
    tile = encode_tile(mesh)
    low = np.min(mesh.points, axis=0)
    width, depth = np.max(mesh.points, axis=0) - low
    header = SET_HEADER.pack(
        int.from_bytes(b"TESM", "little"),  # "MSET" as a number, stored in little-endian order
        1,  # version
        1,  # tiles in the file
        *(low[0], BOTTOM, low[1]),  # origin
        width,  # of a tile
        depth,
        1,  # maximum number of tiles
        1 << POLYGON_BITS,  # maximum number of polygons in a tile
    )
    return header + TILE_HEADER.pack(1 << POLYGON_BITS, len(tile)) + tile  # the first value is the tile's reference


def encode_tile(mesh: NavigationMesh) -> bytes:
    """Return one Detour tile: header, corners, polygons, space for links, detail meshes and their triangles."""
    polygons, neighbours = mesh.polygons, mesh.neighbours()
    triangles = [triangle_fan(len(corners)) for corners, _ in polygons]
    firsts = np.cumsum([0, *(len(part) for part in triangles)])
    link_count = sum(len(corners) for corners, _ in polygons)
    low, high = np.min(mesh.points, axis=0), np.max(mesh.points, axis=0)
    counts = (
        len(polygons),
        len(mesh.points),
        link_count,
        len(polygons),  # detail meshes: one per polygon
        0,  # additional corners of detail meshes
        int(firsts[-1]),  # triangles of detail meshes
        0,  # nodes of the bounding volume tree, which is left out
        0,  # connections off the mesh
        len(polygons),  # index of the first polygon that is such a connection
    )
    header = MESH_HEADER.pack(
        int.from_bytes(b"VAND", "little"),  # "DNAV" as a number, stored in little-endian order
        7,  # version
        0,  # column of the tile
        0,  # row of the tile
        0,  # layer of the tile
        0,  # id of the user's choice
        *counts,
        WALKER_HEIGHT,
        WALKER_RADIUS,
        WALKER_CLIMB,
        *(low[0], BOTTOM, low[1]),
        *(high[0], TOP, high[1]),
        1.0,  # quantisation factor of the bounding volume tree
    )
    points = np.insert(np.array(mesh.points, "<f4"), 1, 0.0, axis=1)
    return b"".join(
        [
            header,
            points.tobytes(),
            *(encode_polygon(*polygon, near) for polygon, near in zip(polygons, neighbours, strict=True)),
            bytes(LINK_SIZE * link_count),
            *(DETAIL.pack(0, first, 0, len(part)) for first, part in zip(firsts, triangles, strict=False)),
            *(bytes(triangle) for part in triangles for triangle in part),
        ]
    )


def encode_polygon(corners: list[int], area: int, neighbours: list[int]) -> bytes:
    """Return one polygon, 32 bytes. neighbours: see `NavigationMesh.neighbours`."""
    padding = [0] * (MAX_CORNERS - len(corners))
    return POLYGON.pack(NO_LINK, *corners, *padding, *neighbours, *padding, AREA_FLAGS[area], len(corners), area)


def triangle_fan(count: int) -> list[tuple[int, int, int, int]]:
    """Return the triangles of a convex polygon, each with flags that mark which edges are edges of the polygon."""
    return [
        (0, i, i + 1, (1 if i == 1 else 0) | 1 << 2 | (1 << 4 if i == count - 2 else 0)) for i in range(1, count - 1)
    ]
