"""Assembly of a town: ground, buildings, props, horizon, lamps and textures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulator.drawing import furniture, horizon, plots, street
from simulator.drawing.atmosphere import Light
from simulator.drawing.furniture import LAMP_HEAD, LAMP_ON, STATES
from simulator.drawing.lamplight import Lamps
from simulator.drawing.mesh import POLE, Look, Mesh, Triangles, concatenate, pose_matrix
from simulator.drawing.painting import painting
from simulator.drawing.stage import Prop, Stage
from simulator.drawing.textures import Textures
from simulator.roads.ground import KERB_HEIGHT
from simulator.roads.road_network import RoadNetwork, Signal

LAMP_CELL = 8.0  # metres, side of the squares of the ground for which the nearest lamps are looked up
LAMP_REACH = 34.0  # metres from a square's middle to the lamps that light it
DUSK = 0.35  # value of `Light.night` above which the street lamps are on
FIRST_OBJECT = 20_000  # fixed objects count from here in instance images, actors from 1; signals count down


@dataclass(frozen=True)
class Scenery:
    """The fixed part of a town.

    footprints: outlines (n, 2) of the buildings. is_lamp (n,): which props are street lamps. signals (n,): indices of
    the props that are traffic lights.
    """

    stage: Stage
    textures: Textures
    lamps: Lamps
    footprints: list[np.ndarray]
    is_lamp: np.ndarray
    signals: np.ndarray

    def light_bits(self, light: Light, light_states: Mapping[int, str]) -> np.ndarray:
        """Return the light bits (n,) of all fixed props; light_states: as in `Renderer.render`."""
        light_bits = np.where(self.is_lamp, LAMP_ON if light.night > DUSK else 0, 0)
        for index in self.signals:
            state = light_states.get(self.stage.fixed_props.props[index].signal, "red")
            light_bits[index] = STATES.get(state.lower(), 0)
        return light_bits


def build_scenery(network: RoadNetwork, seed: int) -> Scenery:
    """Build a town. Equal networks and seeds produce equal towns."""
    with painting(seed) as wait_for_textures:
        rng = np.random.default_rng([seed, network.seed, 5])
        land = street.survey(network)
        ground = Mesh()
        street.draw_ground(ground, network, land)
        site = plots.furnish(network, land, rng)
        distant, trees = horizon.surroundings(land, rng)
        for x, y in trees:
            site.tree(x, y, scale=1.2)
        add_power_lines(site)
        parts = [ground.build(), *number_objects(site.parts), *distant]
        props = [
            Prop(name, matrix, tint, object=FIRST_OBJECT + len(site.parts) + i)
            for i, (name, matrix, tint) in enumerate(site.props)
        ]
        props += [signal_prop(signal) for signal in network.signals.values()]
        stage = Stage(concatenate(parts), props)
        is_lamp = np.array([prop.model == "lamp" for prop in props])
        signals = np.flatnonzero([prop.signal >= 0 for prop in props])
        textures = wait_for_textures()
    return Scenery(stage, textures, place_lamps(props, land), site.footprints, is_lamp, signals)


def number_objects(parts: list[Triangles]) -> list[Triangles]:
    """Give each part its own object number, in place; return the parts."""
    for i, part in enumerate(parts):
        part.object[:] = FIRST_OBJECT + i
    return parts


def signal_prop(signal: Signal) -> Prop:
    """Return the prop of a traffic light or sign."""
    pose = signal.transform
    if signal.kind == "traffic_light":
        name = f"lights {round(min(signal.reach, 11.0))}"
    elif signal.kind == "speed_limit":
        speeds = np.array(furniture.SPEEDS)
        name = f"sign speed {speeds[np.abs(speeds - signal.value).argmin()]}"
    else:
        name = f"sign {signal.kind}"
    matrix = pose_matrix(pose.x, pose.y, KERB_HEIGHT, pose.yaw)
    return Prop(
        name,
        matrix,
        object=FIRST_OBJECT - signal.id,
        signal=signal.id if signal.kind == "traffic_light" else -1,
    )


def place_lamps(props: list[Prop], land: street.Land) -> Lamps:
    """Return the positions of the street lamps, and the nearest four of each cell of the ground."""
    heads = [(prop.matrix @ [*LAMP_HEAD, 1.0])[:3] for prop in props if prop.model == "lamp"]
    heads = np.array(heads).reshape(-1, 3)
    shape = np.ceil(np.array(land.used.shape) * land.CELL / LAMP_CELL).astype(int)
    cells = np.full((*shape, 4), -1, np.int32)
    if len(heads):
        rows, columns = np.indices(shape)
        centres = land.corner + (np.stack([columns, rows], axis=-1) + 0.5) * LAMP_CELL
        distance = np.hypot(centres[..., 0, None] - heads[:, 0], centres[..., 1, None] - heads[:, 1])
        nearest = np.argsort(distance, axis=-1, kind="stable")[..., :4]
        reached = np.take_along_axis(distance, nearest, axis=-1) < LAMP_REACH
        cells[..., : nearest.shape[-1]] = np.where(reached, nearest, -1)
    return Lamps(heads, cells, land.corner.astype(float), LAMP_CELL)


def add_power_lines(site: plots.Site) -> None:
    """Add sagging power lines between neighbouring poles."""
    poles = [matrix for name, matrix, _ in site.props if name == "power"]
    mesh, wire = Mesh(), Look(POLE, (0.02, 0.02, 0.02))
    for one, other in pairwise(poles):
        if np.hypot(*(one[:2, 3] - other[:2, 3])) > 40:
            continue
        for y, z in ((-0.9, 7.85), (0.9, 7.85), (-0.45, 8.55), (0.45, 8.55)):  # insulators of `furniture.power_pole`
            a, b = (one @ [0, y, z, 1])[:3], (other @ [0, y, z, 1])[:3]
            t = np.linspace(0, 1, 7)[:, None]
            line = a + (b - a) * t - np.array([0, 0, 1.0]) * 3.0 * t * (1 - t)  # sags 0.75 m
            for p, q in pairwise(line):
                mesh.tube(p, q, 0.012, None, wire, 3, caps=False)
    if mesh.parts:
        site.parts.append(mesh.build())
