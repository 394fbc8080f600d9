"""The land between the streets: houses with their gardens, and parks."""

from __future__ import annotations

import numpy as np

from simulator.drawing import buildings, designs
from simulator.drawing.borders import HEDGE, IRON_RAILING, PICKETS, PLASTER_WALL, STONE_WALL, WIRE, border
from simulator.drawing.mesh import placed, pose_matrix
from simulator.drawing.sidewalks import furnish_sidewalk, park_cars
from simulator.drawing.site import (
    BIN_TINTS,
    DRIVE,
    FORECOURT,
    Site,
    add_car,
    facing_street,
    pave,
    rectangle,
    zone_at,
    zone_centres,
)
from simulator.drawing.street import VERGE_HEIGHT, Land
from simulator.roads.road_network import Road, RoadNetwork


def furnish(network: RoadNetwork, land: Land, rng: np.random.Generator) -> Site:
    """Place everything in the town except the ground."""
    site = Site(network, land, rng)
    zones = zone_centres(network, land, rng)
    for road in network.streets:
        for side in ("left", "right"):
            if road.length > 25:
                fill_side_with_plots(site, road, side, zones)
                furnish_sidewalk(site, road, side, zones)
    plant_free_land(site)
    for road in network.streets:
        park_cars(site, road)
    return site


def fill_side_with_plots(site: Site, road: Road, side: str, zones: tuple[np.ndarray, list[str]]) -> None:
    """Fill one side of a street with plots, one after the other. zones: see `site.zone_centres`."""
    s, rng = 1.0, site.rng
    while s < road.length - 8:
        pose = site.pose(road, s, road.border(side) * 1.5)
        zone = zone_at(zones, pose.x, pose.y)
        width = PLOTS[zone](site, road, side, s, rng)
        s += width if width else 2.5


def place_building(site: Site, matrix: np.ndarray, design: designs.Design, gap: float = 0.0) -> bool:
    """Place a building if the land is free; return whether it was placed.

    matrix (4, 4): its pose. gap: metres kept free behind it.
    """
    outline = rectangle(matrix, -design.depth / 2, design.depth / 2, -design.width / 2, design.width / 2)
    required = rectangle(
        matrix, -design.depth / 2 - gap, design.depth / 2, -design.width / 2 + 0.3, design.width / 2 - 0.3
    )
    if not site.land.is_free(required):
        return False
    site.land.mark_used(outline)
    site.footprints.append(outline)
    site.parts.append(placed(buildings.build(design, site.rng), matrix))
    return True


# Each of the following functions places one plot that begins at s on one side of a road.


def centre_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """Place a terraced house, sometimes behind a narrow paved strip. Return the plot's width; 0 if nothing fits."""
    for bays in (int(rng.integers(3, 7)), 4, 3, 2):
        design = designs.town_house(rng, bays)
        distance = design.depth / 2 + (0.05 if rng.random() < 0.75 else 1.6)
        if s + design.width > road.length + 4:
            continue
        if place_building(site, facing_street(site, road, side, s + design.width / 2, distance), design):
            if distance > design.depth / 2 + 1:
                front = facing_street(site, road, side, s + design.width / 2, 0.8)
                pave(site, front, 0.85, design.width / 2, FORECOURT)
            return design.width
    return 0.0


def office_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """Place a modern building behind a paved forecourt. Return the plot's width; 0 if nothing fits."""
    for bays in (int(rng.integers(6, 11)), 5, 4):
        design = designs.office(rng, bays)
        distance = design.depth / 2 + 3.5
        matrix = facing_street(site, road, side, s + design.width / 2 + 2, distance)
        if s + design.width < road.length + 4 and place_building(site, matrix, design):
            front = facing_street(site, road, side, s + design.width / 2 + 2, 1.75)
            pave(site, front, 1.75, design.width / 2, FORECOURT)
            for y in np.arange(-design.width / 2 + 1.5, design.width / 2, 4.0):
                world_x, world_y = front[:2, :2] @ [0.2, y] + front[:2, 3]
                site.put("planter" if rng.random() < 0.4 else "bollard", world_x, world_y, VERGE_HEIGHT + 0.02)
            return design.width + 4
    return 0.0


def estate_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """Place a block of flats on a lawn behind a hedge. Return the plot's width; 0 if nothing fits."""
    for bays in (int(rng.integers(5, 9)), 4):
        design = designs.apartment_block(rng, bays)
        distance = design.depth / 2 + rng.uniform(6, 10)
        width = design.width + 8
        matrix = facing_street(site, road, side, s + width / 2, distance)
        if s + width < road.length + 6 and place_building(site, matrix, design, gap=2.0):
            border(site, road, side, s, s + width, HEDGE, 0.9, gate=s + width / 2)
            path = facing_street(site, road, side, s + width / 2, (distance - design.depth / 2) / 2)
            pave(site, path, (distance - design.depth / 2) / 2, 1.0, DRIVE)
            garden(site, road, side, s, width, distance - design.depth / 2, trees=3)
            return width
    return 0.0


def house_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """Place a single-family house in a garden with a fence, wall or hedge, a drive and sometimes a garage.

    Return the plot's width; 0 if the house does not fit.
    """
    design = designs.detached_house(rng)
    width, distance = design.width + rng.uniform(6.5, 9.0), design.depth / 2 + rng.uniform(4.0, 7.0)
    middle = s + 4.6 + design.width / 2
    matrix = facing_street(site, road, side, middle, distance)
    if s + width > road.length + 3 or not place_building(site, matrix, design):
        return 0.0
    look = (HEDGE, PICKETS, STONE_WALL, PLASTER_WALL, WIRE, IRON_RAILING)[rng.integers(6)]
    height = {HEDGE: rng.uniform(0.9, 1.5), STONE_WALL: 1.0, PLASTER_WALL: 1.3, WIRE: 1.4}.get(look, 1.05)
    border(site, road, side, s, s + width, look, height, gate=s + 2.0, gate_width=3.2)
    front = distance - design.depth / 2
    drive = facing_street(site, road, side, s + 2.0, front / 2 + 1.0)
    pave(site, drive, front / 2 + 1.0, 1.4, DRIVE)
    if rng.random() < 0.5:
        garage = facing_street(site, road, side, s + 2.0, front + 5.0)
        outline = rectangle(garage, -3, 3, -1.7, 1.7)
        if site.land.is_free(outline):
            site.land.mark_used(outline)
            site.footprints.append(outline)
            site.parts.append(placed(buildings.garage(rng), garage))
    if rng.random() < 0.4:
        add_car(site, drive @ pose_matrix(0.3, 0.0, 0.02, 0.0 if rng.random() < 0.5 else 180.0))
    garden(site, road, side, s, width, front, trees=1)
    for _ in range(int(rng.integers(0, 3))):
        at = facing_street(site, road, side, s + rng.uniform(0.5, 3.8), 0.7)
        site.put(
            "bin",
            at[0, 3],
            at[1, 3],
            VERGE_HEIGHT,
            rng.uniform(0, 360),
            tint=BIN_TINTS[rng.integers(len(BIN_TINTS))],
        )
    return width


def park_plot(site: Site, road: Road, side: str, s: float, rng: np.random.Generator) -> float:
    """Place a stretch of park behind a low wall, fence or hedge. Return its width; 0 if there is too little room."""
    width = min(rng.uniform(16, 30), road.length - s - 1)
    if width < 8:
        return 0.0
    look, height = ((IRON_RAILING, 1.1), (HEDGE, 0.8), (STONE_WALL, 0.6), (WIRE, 1.6))[rng.integers(4)]
    border(site, road, side, s, s + width, look, height, gate=s + width / 2, gate_width=3.0)
    for _ in range(int(width / 6)):
        at = facing_street(site, road, side, s + rng.uniform(1, width - 1), rng.uniform(3.0, 14.0))
        if site.land.is_free(rectangle(at, -1, 1, -1, 1)):
            site.tree(at[0, 3], at[1, 3], scale=1.1)
    for _ in range(3):
        at = facing_street(site, road, side, s + rng.uniform(1, width - 1), rng.uniform(1.5, 8.0))
        if site.land.is_free(rectangle(at, -1, 1, -1, 1)):
            site.put(
                f"bush {rng.integers(3)}",
                at[0, 3],
                at[1, 3],
                VERGE_HEIGHT,
                rng.uniform(0, 360),
                rng.uniform(0.8, 1.6),
            )
    return width


PLOTS = {  # by zone
    "centre": centre_plot,
    "estate": estate_plot,
    "houses": house_plot,
    "park": park_plot,
    "office": office_plot,
}


def garden(site: Site, road: Road, side: str, s: float, width: float, depth: float, trees: int) -> None:
    """Place trees and bushes in front of a house. s, width, depth: of its plot. trees: their number."""
    rng = site.rng
    for k in range(trees + 3):
        at = facing_street(
            site,
            road,
            side,
            s + rng.uniform(4.6, max(width - 1, 4.7)),
            rng.uniform(1.4, max(depth - 0.8, 1.5)),
        )
        x, y = at[:2, 3]
        if not site.land.is_free(rectangle(at, -0.7, 0.7, -0.7, 0.7)):
            continue
        if k < trees:
            site.tree(x, y, scale=0.85)
        else:
            site.put(f"bush {rng.integers(3)}", x, y, VERGE_HEIGHT, rng.uniform(0, 360), rng.uniform(0.6, 1.3))


def plant_free_land(site: Site) -> None:
    """Place trees wherever large areas stayed empty behind the plots."""
    rng, land = site.rng, site.land
    rows, columns = land.used.shape
    for row in range(8, rows - 8, 16):
        for column in range(8, columns - 8, 16):
            if rng.random() < 0.6:
                continue
            x, y = land.corner + (np.array([column, row]) + rng.uniform(-5, 5, 2)) * land.CELL
            spot = np.array([(x - 2.5, y - 2.5), (x + 2.5, y - 2.5), (x + 2.5, y + 2.5), (x - 2.5, y + 2.5)])
            if land.is_free(spot):
                site.tree(x, y, scale=1.15)
