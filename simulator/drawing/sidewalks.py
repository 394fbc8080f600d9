"""Objects on sidewalks and at the kerb: trees, lamps, street furniture and parked vehicles."""

from __future__ import annotations

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.mesh import pose_matrix
from simulator.drawing.people import srgb_to_linear
from simulator.drawing.site import BIN_TINTS, SOIL, Site, add_car, pave, zone_at
from simulator.roads.ground import KERB_HEIGHT
from simulator.roads.road_network import Road

STREET_TREES = ("lime", "maple", "plane", "birch")
LAMP_SPACING = 28.0  # metres along a sidewalk


def furnish_sidewalk(site: Site, road: Road, side: str, zones: tuple[np.ndarray, list[str]]) -> None:
    """Add trees, lamps, benches and other furniture along one sidewalk, clear of crossings and signals.

    side: "left" or "right". zones: see `site.zone_centres`.
    """
    rng, sign = site.rng, 1.0 if side == "right" else -1.0
    kerb, back = road.kerb(side), road.border(side)
    if abs(back - kerb) < 1.5:
        return
    blocked = obstacles(site, road)

    def clear(s: float, room: float) -> bool:
        """Return whether nothing is nearer than `room` metres."""
        return 4.0 < s < road.length - 4.0 and all(abs(s - b) > room for b in blocked)

    first_lamp = 8.0 if side == "right" else 22.0  # s; the lamps of the two sides alternate
    has_trees = rng.random() < 0.75
    species = (STREET_TREES[rng.integers(len(STREET_TREES))],)
    has_power_poles = zone_at(zones, *road.points(np.array([road.length / 2]))[0]) == "houses" and side == "right"
    for s in np.arange(first_lamp, road.length, LAMP_SPACING):
        if clear(s, 2.5):
            pose = site.pose(road, s, kerb + sign * 0.5)
            site.put("lamp", pose.x, pose.y, KERB_HEIGHT, pose.yaw - 90 * sign)
    for s in np.arange(5.0 + rng.uniform(0, 4), road.length, 9.5):
        to_lamp = abs((s - first_lamp + LAMP_SPACING / 2) % LAMP_SPACING - LAMP_SPACING / 2)
        if has_trees and clear(s, 4.5) and to_lamp > 2.5 and rng.random() < 0.8:
            pose = site.pose(road, s, kerb + sign * 0.95)
            pit = pose_matrix(pose.x, pose.y, KERB_HEIGHT, pose.yaw)
            pave(site, pit, 0.6, 0.6, SOIL)
            site.tree(pose.x, pose.y, species, 0.92)
    for s in np.arange(7.0, road.length, 7.3):
        s = s + rng.uniform(-2, 2)
        if clear(s, 3.5):
            furnish_spot(site, road, side, s, zones)
    if has_power_poles:
        for s in np.arange(12.0, road.length, 34.0):
            pose = site.pose(road, s, back - sign * 0.35)
            site.put("power", pose.x, pose.y, KERB_HEIGHT, pose.yaw)


def obstacles(site: Site, road: Road) -> list[float]:
    """Return the positions s along a road that crossings and signals occupy."""
    network = site.network
    near = [crossing.s for crossing in network.crossings if crossing.road == road.id]
    near += [signal.s for signal in network.signals.values() if signal.road == road.id]
    for signal in network.signals.values():
        for s in (0.0, road.length):
            pose = site.pose(road, s)
            if np.hypot(pose.x - signal.transform.x, pose.y - signal.transform.y) < 25:
                near.append(6.0 if s == 0.0 else road.length - 6.0)
    return near


def furnish_spot(site: Site, road: Road, side: str, s: float, zones: tuple[np.ndarray, list[str]]) -> None:
    """Add a random kind of street furniture, or none, at s on a sidewalk. zones: see `site.zone_centres`."""
    rng, sign = site.rng, 1.0 if side == "right" else -1.0
    kerb, back = road.kerb(side), road.border(side)
    pose = site.pose(road, s, back)
    central = zone_at(zones, pose.x, pose.y) in ("centre", "office")
    weights = {  # by model name; "": nothing
        "": 5,
        "bench": 1.5,
        "litter": 1.2,
        "hydrant": 0.6,
        "post": 0.5,
        "cabinet": 0.6,
        "column": 0.4 * central,
        "table": 2.0 * central,
        "cone": 0.25,
        "shelter": 0.45,
        "planter": 0.8 * central,
        "sign parking": 0.5,
        "bin": 0.7 * (not central),
    }
    values = np.array([*weights.values()])
    name = str(rng.choice([*weights], p=values / values.sum()))
    if not name:
        return
    by_kerb = name in ("hydrant", "cone", "sign parking", "litter", "column")
    # metres from the kerb or from the back of the sidewalk
    away = {"column": 0.9, "shelter": 0.9, "table": 0.8, "cabinet": 0.3}.get(name, 0.45)
    t = kerb + sign * max(away, 0.45) if by_kerb else back - sign * away
    pose = site.pose(road, s, t)
    yaw = pose.yaw - 90 * sign
    if name == "sign parking":
        yaw = pose.yaw + (180 if sign > 0 else 0)
    tint = BIN_TINTS[rng.integers(len(BIN_TINTS))] if name == "bin" else (0.35, 0.06, 0.04)
    for k in range(int(rng.integers(2, 4)) if name in ("table", "cone") else 1):
        step = site.pose(road, s + 1.9 * k, t)
        site.put(name, step.x, step.y, KERB_HEIGHT, yaw + rng.normal(0, 2), tint=tint)


def park_cars(site: Site, road: Road) -> None:
    """Add parked cars, and occasionally motorcycles or bicycles, to the parking lanes."""
    rng = site.rng
    blocked = obstacles(site, road)
    for lane in road.lanes:
        if lane.kind != "parking":
            continue
        s = 8.0 + rng.uniform(0, 3)
        while s < road.length - 9:
            if all(abs(s - b) > 8 for b in blocked) and rng.random() < 0.66:
                pose = road.lane_pose(lane.id, s)
                matrix = pose_matrix(pose.x, pose.y, 0.0, pose.yaw + rng.normal(0, 0.8))
                if rng.random() < 0.09:
                    add_two_wheelers(site, matrix)
                else:
                    add_car(site, matrix)
            s += rng.uniform(5.6, 7.4)


def add_two_wheelers(site: Site, matrix: np.ndarray) -> None:
    """Add two motorcycles or two bicycles parked across the lane. matrix (4, 4): pose of the parking space."""
    kind = ("motorcycle", "bicycle")[site.rng.integers(2)]
    names = [name for name, entry in CATALOGUE.items() if entry.kind == kind]
    for x in (-0.8, 0.2):
        name = names[site.rng.integers(len(names))]
        tint = srgb_to_linear(CATALOGUE[name].colours[site.rng.integers(5)])
        site.props.append((f"vehicle {name} parked", matrix @ pose_matrix(x, 0.1, 0, 75), tint))
