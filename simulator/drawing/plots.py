"""Fills the land between the streets: houses and their gardens, parks, what stands on sidewalks, parked cars."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing import buildings
from simulator.drawing.mesh import (
    CUTOUT, FENCE, GROUND, NO_SHADOW, PAVED, SIDEWALK, TWO_SIDED, UNIT, VEGETATION, WALL, Look, Mesh, Triangles, placed,
    turn_matrix,
)  # fmt: skip
from simulator.drawing.people import linear
from simulator.drawing.street import KERB_HEIGHT, VERGE_HEIGHT, Land
from simulator.roads import Road, RoadNetwork

STONE_WALL = Look(WALL, (0.80, 0.78, 0.74), "stone")
RENDERED_WALL = Look(WALL, (0.72, 0.69, 0.62), "plaster")
HEDGE = Look(VEGETATION, (0.50, 0.56, 0.42), "hedge")
PICKETS = Look(FENCE, (0.80, 0.79, 0.75), "pickets", TWO_SIDED | CUTOUT)
WIRE = Look(FENCE, (0.40, 0.42, 0.41), "wire", TWO_SIDED | CUTOUT)
IRON_RAILING = Look(FENCE, (0.04, 0.045, 0.05), "railing", TWO_SIDED | CUTOUT)
SOIL = Look(GROUND, (0.46, 0.44, 0.42), "soil", NO_SHADOW)
DRIVE = Look(GROUND, (0.62, 0.58, 0.54), "setts", NO_SHADOW | PAVED)
FORECOURT = Look(SIDEWALK, (0.72, 0.70, 0.68), "setts", NO_SHADOW | PAVED)
TREES = ("lime", "maple", "plane", "birch", "beech", "poplar", "spruce")
STREET_TREES = ("lime", "maple", "plane", "birch")
ZONES = ("centre", "estate", "houses", "park", "office")
SHARES = {  # of the zones, by map
    "Eastfield": (0.42, 0.10, 0.26, 0.12, 0.10),
    "Millbrook": (0.16, 0.08, 0.58, 0.16, 0.02),
    "Westgate": (0.16, 0.30, 0.18, 0.12, 0.24),
}
EVEN = (0.25, 0.2, 0.3, 0.15, 0.1)


@dataclass
class Site:
    """What has been put up so far. parts: triangles with the number of the thing that they belong to.
    props: (model name, matrix, tint). footprints: outlines of buildings."""

    network: RoadNetwork
    land: Land
    rng: np.random.Generator
    parts: list[Triangles] = field(default_factory=list)
    props: list[tuple[str, np.ndarray, tuple[float, float, float]]] = field(default_factory=list)
    footprints: list[np.ndarray] = field(default_factory=list)

    def put(self, name: str, x: float, y: float, z: float = KERB_HEIGHT, yaw: float = 0.0, scale: float = 1.0,
            tint: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> None:  # fmt: skip
        """Adds a model."""
        self.props.append((name, turn_matrix(x, y, z, yaw, scale), tint))

    def tree(self, x: float, y: float, kinds: tuple[str, ...] = TREES, scale: float = 1.0) -> None:
        """Adds a tree of some kind."""
        kind = kinds[self.rng.integers(len(kinds))]
        name = f"tree {kind} {self.rng.integers(3)}"
        self.put(name, x, y, VERGE_HEIGHT - 0.02, self.rng.uniform(0, 360), scale * self.rng.uniform(0.85, 1.15))


def furnish(network: RoadNetwork, land: Land, rng: np.random.Generator) -> Site:
    """Puts up everything but the ground."""
    site = Site(network, land, rng)
    zones = zone_centres(network, land, rng)
    for road in network.streets:
        for side in ("left", "right"):
            if road.length > 25:
                line_with_plots(site, road, side, zones)
                furnish_sidewalk(site, road, side, zones)
    fill_parks(site)
    for road in network.streets:
        park_cars(site, road)
    return site


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


def facing_street(road: Road, side: str, s: float, away: float) -> np.ndarray:
    """Matrix (4, 4) of a thing `away` metres behind the sidewalk that looks at the street along x."""
    sign = 1.0 if side == "right" else -1.0
    pose = road.pose(s, road.border(side) + sign * away)
    return turn_matrix(pose.x, pose.y, VERGE_HEIGHT, pose.yaw - 90.0 * sign)


def rectangle(matrix: np.ndarray, x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    """A rectangle's corners (4, 2) in the world."""
    local = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return local @ matrix[:2, :2].T + matrix[:2, 3]


def line_with_plots(site: Site, road: Road, side: str, zones: tuple[np.ndarray, list[str]]) -> None:
    """Plots along one side of a street, one after the other."""
    s, rng = 1.0, site.rng
    while s < road.length - 8:
        pose = road.pose(s, road.border(side) * 1.5)
        zone = zone_at(zones, pose.x, pose.y)
        width = PLOTS[zone](site, road, side, s, rng)
        s += width if width else 2.5


def raise_building(site: Site, matrix: np.ndarray, design: buildings.Design, gap: float = 0.0) -> bool:
    """Builds at a place if it is free."""
    outline = rectangle(matrix, -design.depth / 2, design.depth / 2, -design.width / 2, design.width / 2)
    roomy = rectangle(matrix, -design.depth / 2 - gap, design.depth / 2, -design.width / 2 + 0.3, design.width / 2 - 0.3)
    if not site.land.is_free(roomy):
        return False
    site.land.take(outline)
    site.footprints.append(outline)
    site.parts.append(placed(buildings.build(design, site.rng), matrix))
    return True


def centre_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """A house in a closed row; rarely a gap with a wall and trees."""
    for bays in (int(rng.integers(3, 7)), 4, 3, 2):
        design = buildings.town_house(rng, bays)
        away = design.depth / 2 + (0.05 if rng.random() < 0.75 else 1.6)
        if s + design.width > road.length + 4:
            continue
        if raise_building(site, facing_street(road, side, s + design.width / 2, away), design):
            if away > design.depth / 2 + 1:
                front = facing_street(road, side, s + design.width / 2, 0.8)
                pave(site, front, 0.85, design.width / 2, FORECOURT)
            return design.width
    return 0.0


def office_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """A modern building behind a paved forecourt."""
    for bays in (int(rng.integers(6, 11)), 5, 4):
        design = buildings.office(rng, bays)
        away = design.depth / 2 + 3.5
        matrix = facing_street(road, side, s + design.width / 2 + 2, away)
        if s + design.width < road.length + 4 and raise_building(site, matrix, design):
            front = facing_street(road, side, s + design.width / 2 + 2, 1.75)
            pave(site, front, 1.75, design.width / 2, FORECOURT)
            for y in np.arange(-design.width / 2 + 1.5, design.width / 2, 4.0):
                x1, y1 = front[:2, :2] @ [0.2, y] + front[:2, 3]
                site.put("planter" if rng.random() < 0.4 else "bollard", x1, y1, VERGE_HEIGHT + 0.02)
            return design.width + 4
    return 0.0


def estate_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """A block of flats on a lawn behind a hedge."""
    for bays in (int(rng.integers(5, 9)), 4):
        design = buildings.apartment_block(rng, bays)
        away = design.depth / 2 + rng.uniform(6, 10)
        width = design.width + 8
        matrix = facing_street(road, side, s + width / 2, away)
        if s + width < road.length + 6 and raise_building(site, matrix, design, gap=2.0):
            border(site, road, side, s, s + width, HEDGE, 0.9, gate=s + width / 2)
            path = facing_street(road, side, s + width / 2, (away - design.depth / 2) / 2)
            pave(site, path, (away - design.depth / 2) / 2, 1.0, DRIVE)
            garden(site, road, side, s, width, away - design.depth / 2, trees=3)
            return width
    return 0.0


def house_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """A family house in a garden with a fence, wall or hedge, a drive and sometimes a garage."""
    design = buildings.detached_house(rng)
    width, away = design.width + rng.uniform(6.5, 9.0), design.depth / 2 + rng.uniform(4.0, 7.0)
    middle = s + 4.6 + design.width / 2
    matrix = facing_street(road, side, middle, away)
    if s + width > road.length + 3 or not raise_building(site, matrix, design):
        return 0.0
    look = (HEDGE, PICKETS, STONE_WALL, RENDERED_WALL, WIRE, IRON_RAILING)[rng.integers(6)]
    high = {HEDGE: rng.uniform(0.9, 1.5), STONE_WALL: 1.0, RENDERED_WALL: 1.3, WIRE: 1.4}.get(look, 1.05)
    border(site, road, side, s, s + width, look, high, gate=s + 2.0, gate_width=3.2)
    front = away - design.depth / 2
    drive = facing_street(road, side, s + 2.0, front / 2 + 1.0)
    pave(site, drive, front / 2 + 1.0, 1.4, DRIVE)
    if rng.random() < 0.5:
        shed = facing_street(road, side, s + 2.0, front + 5.0)
        outline = rectangle(shed, -3, 3, -1.7, 1.7)
        if site.land.is_free(outline):
            site.land.take(outline)
            site.footprints.append(outline)
            site.parts.append(placed(buildings.garage(rng), shed))
    if rng.random() < 0.4:
        add_car(site, drive @ turn_matrix(0.3, 0.0, 0.02, 0.0 if rng.random() < 0.5 else 180.0))
    garden(site, road, side, s, width, front, trees=1)
    for _ in range(int(rng.integers(0, 3))):
        at = facing_street(road, side, s + rng.uniform(0.5, 3.8), 0.7)
        site.put("bin", at[0, 3], at[1, 3], VERGE_HEIGHT, rng.uniform(0, 360), tint=BIN_TINTS[rng.integers(len(BIN_TINTS))])
    return width


def park_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """A stretch of park behind a low wall, railing or hedge."""
    width = min(rng.uniform(16, 30), road.length - s - 1)
    if width < 8:
        return 0.0
    look, high = ((IRON_RAILING, 1.1), (HEDGE, 0.8), (STONE_WALL, 0.6), (WIRE, 1.6))[rng.integers(4)]
    border(site, road, side, s, s + width, look, high, gate=s + width / 2, gate_width=3.0)
    for _ in range(int(width / 6)):
        at = facing_street(road, side, s + rng.uniform(1, width - 1), rng.uniform(3.0, 14.0))
        if site.land.is_free(rectangle(at, -1, 1, -1, 1)):
            site.tree(at[0, 3], at[1, 3], scale=1.1)
    for _ in range(3):
        at = facing_street(road, side, s + rng.uniform(1, width - 1), rng.uniform(1.5, 8.0))
        if site.land.is_free(rectangle(at, -1, 1, -1, 1)):
            site.put(f"bush {rng.integers(3)}", at[0, 3], at[1, 3], VERGE_HEIGHT, rng.uniform(0, 360), rng.uniform(0.8, 1.6))
    return width


PLOTS = {"centre": centre_plot, "estate": estate_plot, "houses": house_plot, "park": park_plot, "office": office_plot}
BIN_TINTS = ((0.03, 0.10, 0.05), (0.04, 0.04, 0.045), (0.04, 0.08, 0.20), (0.30, 0.22, 0.03))


def garden(site: Site, road: Road, side: str, s: float, width: float, depth: float, trees: int) -> None:
    """Trees and bushes in front of a house."""
    rng = site.rng
    for k in range(trees + 3):
        at = facing_street(road, side, s + rng.uniform(4.6, max(width - 1, 4.7)), rng.uniform(1.4, max(depth - 0.8, 1.5)))
        x, y = at[:2, 3]
        if not site.land.is_free(rectangle(at, -0.7, 0.7, -0.7, 0.7)):
            continue
        if k < trees:
            site.tree(x, y, scale=0.85)
        else:
            site.put(f"bush {rng.integers(3)}", x, y, VERGE_HEIGHT, rng.uniform(0, 360), rng.uniform(0.6, 1.3))


def pave(site: Site, matrix: np.ndarray, half_depth: float, half_width: float, look: Look) -> None:
    """A rectangle of another ground, just above the lawn, in front of whatever `matrix` is the middle of."""
    mesh = Mesh()
    x, y = half_depth, half_width
    corners = np.array([(-x, -y, 0.008), (x, -y, 0.008), (x, y, 0.008), (-x, y, 0.008)])
    mesh.quads([corners], look.but(lift=1.0006), corners[:, :2] / 2.2)
    site.parts.append(placed(mesh.build(), matrix))


def border(
    site: Site, road: Road, side: str, start: float, end: float, look: Look, high: float, gate: float, gate_width: float = 1.6
) -> None:
    """A hedge, wall or fence along the back of the sidewalk, with a gap about s = gate."""
    sign, mesh = (1.0 if side == "right" else -1.0), Mesh()
    solid = look.label in (WALL, VEGETATION)
    half = 0.0 if not solid else (0.35 if look.label == VEGETATION else 0.13)
    for s0, s1 in ((start + 0.2, gate - gate_width / 2), (gate + gate_width / 2, end - 0.2)):
        if s1 - s0 < 0.6:
            continue
        s = road.stations(3.0, s0, min(s1, road.length))
        t = road.border(side) + sign * (0.25 + half)
        if solid:
            upright_band(mesh, road.points(s, t - half), road.points(s, t + half), high, look)
        else:
            line = road.points(s, t)
            sheet(mesh, line, VERGE_HEIGHT, VERGE_HEIGHT + high, look, 1.0 / high)
            posts(mesh, line, high, look)
    if mesh.parts:
        site.parts.append(mesh.build())


def sheet(mesh: Mesh, line: np.ndarray, low: float, high: float, look: Look, scale: float) -> None:
    """An upright band over a line (n, 2)."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]) * scale
    a = np.column_stack([line, np.full(len(line), low)])
    b = np.column_stack([line, np.full(len(line), high)])
    tall = (high - low) * scale
    uv = [np.stack([along[i : len(along) - 1 + i], np.full(len(along) - 1, v)], 1) for i, v in ((0, tall), (1, tall), (1, 0), (0, 0))]
    mesh.quads(np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1), look, np.stack(uv, axis=1))


def posts(mesh: Mesh, line: np.ndarray, high: float, look: Look) -> None:
    """Posts of a fence."""
    solid = look.but(texture="white", flags=0)
    for x, y in line:
        mesh.box((x - 0.04, y - 0.04, VERGE_HEIGHT), (x + 0.04, y + 0.04, VERGE_HEIGHT + high + 0.08), solid)


def upright_band(mesh: Mesh, one: np.ndarray, other: np.ndarray, high: float, look: Look) -> None:
    """A thick wall or hedge between two lines (n, 2)."""
    low, top = VERGE_HEIGHT - 0.02, VERGE_HEIGHT + high
    both = look.but(flags=look.flags | TWO_SIDED)
    for line in (one, other):
        sheet(mesh, line, low, top, both, 0.45)
    raised = [np.column_stack([line, np.full(len(line), top)]) for line in (one, other)]
    lid = both if look.label == VEGETATION else both.but(colour=tuple(0.9 * c for c in look.colour), texture="concrete")
    mesh.strip(*raised, lid, 0.45)
    for k in (0, -1):
        a, b = one[k], other[k]
        mesh.quads([[(*a, low), (*b, low), (*b, top), (*a, top)]], both, UNIT * [0.3, high * 0.45])


def furnish_sidewalk(site: Site, road: Road, side: str, zones: tuple[np.ndarray, list[str]]) -> None:
    """Trees in pits, lamps, bins, benches and so on along one sidewalk, clear of what the network puts there."""
    rng, sign = site.rng, 1.0 if side == "right" else -1.0
    kerb, back = road.kerb(side), road.border(side)
    if abs(back - kerb) < 1.5:
        return
    blocked = [s for s in obstacles(site.network, road)]

    def clear(s: float, room: float) -> bool:
        return 4.0 < s < road.length - 4.0 and all(abs(s - b) > room for b in blocked)

    lamp_shift = 8.0 if side == "right" else 22.0
    leafy = rng.random() < 0.75
    species = (STREET_TREES[rng.integers(len(STREET_TREES))],)
    pylons = zone_at(zones, *road.points(np.array([road.length / 2]))[0]) == "houses" and side == "right"
    for s in np.arange(lamp_shift, road.length, 28.0):
        if clear(s, 2.5):
            pose = road.pose(s, kerb + sign * 0.5)
            site.put("lamp", pose.x, pose.y, KERB_HEIGHT, pose.yaw - 90 * sign)
    for s in np.arange(5.0 + rng.uniform(0, 4), road.length, 9.5):
        if leafy and clear(s, 4.5) and abs((s - lamp_shift + 14) % 28 - 14) > 2.5 and rng.random() < 0.8:
            pose = road.pose(s, kerb + sign * 0.95)
            pit = turn_matrix(pose.x, pose.y, KERB_HEIGHT, pose.yaw)
            pave(site, pit, 0.6, 0.6, SOIL)
            site.tree(pose.x, pose.y, species, 0.92)
    for s in np.arange(7.0, road.length, 7.3):
        s = s + rng.uniform(-2, 2)
        if clear(s, 3.5):
            furnish_spot(site, road, side, s, zones)
    if pylons:
        for s in np.arange(12.0, road.length, 34.0):
            pose = road.pose(s, back - sign * 0.35)
            site.put("power", pose.x, pose.y, KERB_HEIGHT, pose.yaw)


def obstacles(network: RoadNetwork, road: Road) -> list[float]:
    """Places s along a road of its crossings and signals."""
    near = [crossing.s for crossing in network.crossings if crossing.road == road.id]
    near += [signal.s for signal in network.signals.values() if signal.road == road.id]
    for signal in network.signals.values():
        for s in (0.0, road.length):
            pose = road.pose(s)
            if np.hypot(pose.x - signal.transform.x, pose.y - signal.transform.y) < 25:
                near.append(6.0 if s == 0.0 else road.length - 6.0)
    return near


def furnish_spot(site: Site, road: Road, side: str, s: float, zones: tuple[np.ndarray, list[str]]) -> None:
    """One piece of street furniture, or none, at s on a sidewalk."""
    rng, sign = site.rng, 1.0 if side == "right" else -1.0
    kerb, back = road.kerb(side), road.border(side)
    pose = road.pose(s, back)
    central = zone_at(zones, pose.x, pose.y) in ("centre", "office")
    choices = ("", "bench", "litter", "hydrant", "post", "cabinet", "column", "table", "cone", "shelter", "planter", "sign parking",
               "bin")  # fmt: skip
    weights = np.array([5, 1.5, 1.2, 0.6, 0.5, 0.6, 0.4 * central, 2.0 * central, 0.25, 0.45, 0.8 * central, 0.5, 0.7 * (not central)])
    name = str(rng.choice(choices, p=weights / weights.sum()))
    if not name:
        return
    by_kerb = name in ("hydrant", "cone", "sign parking", "litter", "column")
    away = {"column": 0.9, "shelter": 0.9, "table": 0.8, "bench": 0.45, "cabinet": 0.3}.get(name, 0.45)
    t = kerb + sign * max(away, 0.45) if by_kerb else back - sign * away
    pose = road.pose(s, t)
    yaw = pose.yaw - 90 * sign
    if name == "sign parking":
        yaw = pose.yaw + (180 if sign > 0 else 0)
    tint = BIN_TINTS[rng.integers(len(BIN_TINTS))] if name == "bin" else (0.35, 0.06, 0.04)
    for k in range(int(rng.integers(2, 4)) if name in ("table", "cone") else 1):
        step = road.pose(s + 1.9 * k, t)
        site.put(name, step.x, step.y, KERB_HEIGHT, yaw + rng.normal(0, 2), tint=tint)


def park_cars(site: Site, road: Road) -> None:
    """Cars, and now and then a bicycle or a motorcycle, in the parking lanes."""
    rng = site.rng
    blocked = obstacles(site.network, road)
    for lane in road.lanes:
        if lane.kind != "parking":
            continue
        s = 8.0 + rng.uniform(0, 3)
        while s < road.length - 9:
            if all(abs(s - b) > 8 for b in blocked) and rng.random() < 0.66:
                pose = road.lane_pose(lane.id, s)
                nudge = turn_matrix(pose.x, pose.y, 0.0, pose.yaw + rng.normal(0, 0.8))
                if rng.random() < 0.09:
                    add_two_wheelers(site, nudge)
                else:
                    add_car(site, nudge)
            s += rng.uniform(5.6, 7.4)


def add_car(site: Site, matrix: np.ndarray) -> None:
    """A parked car of some make and colour."""
    names = [name for name, entry in CATALOGUE.items() if entry.kind == "car"]
    name = names[site.rng.integers(len(names))]
    colours = CATALOGUE[name].colours
    site.props.append((f"vehicle {name} parked", matrix, linear(colours[site.rng.integers(len(colours))])))


def add_two_wheelers(site: Site, matrix: np.ndarray) -> None:
    """Motorcycles parked across the lane, or bicycles."""
    kind = ("motorcycle", "bicycle")[site.rng.integers(2)]
    names = [name for name, entry in CATALOGUE.items() if entry.kind == kind]
    for x in (-0.8, 0.2):
        name = names[site.rng.integers(len(names))]
        tint = linear(CATALOGUE[name].colours[site.rng.integers(5)])
        site.props.append((f"vehicle {name} parked", matrix @ turn_matrix(x, 0.1, 0, 75), tint))


def fill_parks(site: Site) -> None:
    """Trees wherever large pieces of land stayed empty behind the plots."""
    rng, land = site.rng, site.land
    rows, columns = land.used.shape
    for row in range(8, rows - 8, 16):
        for column in range(8, columns - 8, 16):
            if rng.random() < 0.42:
                continue
            x, y = land.corner + (np.array([column, row]) + rng.uniform(-5, 5, 2)) * land.CELL
            spot = np.array([(x - 2.5, y - 2.5), (x + 2.5, y - 2.5), (x + 2.5, y + 2.5), (x - 2.5, y + 2.5)])
            if land.is_free(spot):
                site.tree(x, y, scale=1.15)
