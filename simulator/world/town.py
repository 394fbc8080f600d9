"""A town: its roads, the same roads as OpenDRIVE text, where vehicles may start, and what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from simulator.drawing.renderer import Body, Camera, Renderer
from simulator.geometry import Transform
from simulator.roads.ground import Ground
from simulator.roads.maps import MAPS, build_map
from simulator.roads.navigation_mesh import build_mesh, to_bytes
from simulator.roads.opendrive_writer import parse_opendrive, to_opendrive
from simulator.roads.road_network import RoadNetwork
from simulator.weather import Weather
from simulator.world.environment_objects import Thing, things_of
from simulator.world.vehicle_motion import SpeedLimits

UPLOADED = "OpenDriveMap"  # the name under which a client asks for the roads that it has sent


class Draws(Protocol):
    """What the world needs of a renderer."""

    def render(
        self,
        cameras: Sequence[Camera],
        bodies: Sequence[Body],
        weather: Weather,
        light_states: Mapping[int, str],
        time: float,
    ) -> list[np.ndarray]:
        """One BGRA image, (height, width, 4) uint8, for each camera."""


@dataclass(frozen=True)
class Town:
    """One map, ready to be lived in."""

    name: str
    network: RoadNetwork
    opendrive: str
    spawn_points: list[Transform]
    renderer: Draws

    @cached_property
    def navigation(self) -> bytes:
        """Where pedestrians can walk, as the file that clients load; empty if they can walk nowhere."""
        mesh = build_mesh(self.network)
        return to_bytes(mesh) if mesh.polygons else b""

    @cached_property
    def things(self) -> list[Thing]:
        """What stands in it; nothing if its renderer has no scenery."""
        scenery = getattr(self.renderer, "scenery", None)
        return things_of(scenery) if scenery else []

    @cached_property
    def ground(self) -> Ground:
        """How high it is where."""
        return Ground(self.network)

    @cached_property
    def speed_limits(self) -> SpeedLimits:
        """How fast one may drive where."""
        return SpeedLimits(self.network)


MakeRenderer = Callable[[RoadNetwork, int], Draws]


def build_town(name: str, seed: int, make_renderer: MakeRenderer = Renderer) -> Town:
    """One of the maps of `simulator.roads.maps`; raises KeyError if there is none of that name."""
    network = build_map(name, seed)
    return Town(name, network, to_opendrive(network), network.spawn_points(), make_renderer(network, seed))


def town_of_opendrive(text: str, seed: int, make_renderer: MakeRenderer = Renderer) -> Town:
    """The town on roads that a client has sent; raises ValueError if they cannot be read."""
    network = parse_opendrive(text)
    return Town(UPLOADED, network, text, network.spawn_points(), make_renderer(network, seed))


def map_names() -> list[str]:
    """The maps that can be loaded."""
    return sorted(MAPS)
