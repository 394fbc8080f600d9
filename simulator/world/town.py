"""A town: its road network, the same roads as OpenDRIVE text, its spawn points, and its renderer."""

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
from simulator.roads.navigation_mesh import build_navigation_mesh, encode_mesh
from simulator.roads.opendrive_reader import parse_opendrive
from simulator.roads.opendrive_writer import to_opendrive
from simulator.roads.road_network import RoadNetwork
from simulator.weather import Weather
from simulator.world.environment_objects import EnvironmentObject, find_environment_objects
from simulator.world.vehicle_motion import SpeedLimits

UPLOADED_MAP = "OpenDriveMap"  # the map name with which a client loads the OpenDRIVE text that it has sent


class TownRenderer(Protocol):
    """The interface that the world needs of a renderer."""

    def render(
        self,
        cameras: Sequence[Camera],
        bodies: Sequence[Body],
        weather: Weather,
        light_states: Mapping[int, str],
        time: float,
    ) -> list[np.ndarray]:
        """Return one BGRA image, (height, width, 4) uint8, per camera."""


@dataclass(frozen=True)
class Town:
    """One map with everything that the world needs of it. opendrive: its roads as OpenDRIVE text."""

    name: str
    network: RoadNetwork
    opendrive: str
    spawn_points: list[Transform]
    renderer: TownRenderer

    @cached_property
    def navigation(self) -> bytes:
        """The navigation mesh of pedestrians as the file that clients load; empty if there are no polygons."""
        mesh = build_navigation_mesh(self.network)
        return encode_mesh(mesh) if mesh.polygons else b""

    @cached_property
    def environment_objects(self) -> list[EnvironmentObject]:
        """The static objects of the town; empty if its renderer has no scenery."""
        scenery = getattr(self.renderer, "scenery", None)
        return find_environment_objects(scenery) if scenery else []

    @cached_property
    def ground(self) -> Ground:
        """The heights of the ground."""
        return Ground(self.network)

    @cached_property
    def speed_limits(self) -> SpeedLimits:
        """The speed limits of the roads."""
        return SpeedLimits(self.network)


RendererFactory = Callable[[RoadNetwork, int], TownRenderer]


def build_town(name: str, seed: int, make_renderer: RendererFactory = Renderer) -> Town:
    """Build one of the maps of `simulator.roads.maps`; raise KeyError if there is none of that name."""
    network = build_map(name, seed)
    return Town(name, network, to_opendrive(network), network.spawn_points(), make_renderer(network, seed))


def build_uploaded_town(text: str, seed: int, make_renderer: RendererFactory = Renderer) -> Town:
    """Build the town of OpenDRIVE text that a client has sent; raise ValueError if it cannot be read."""
    network = parse_opendrive(text)
    return Town(UPLOADED_MAP, network, text, network.spawn_points(), make_renderer(network, seed))


def map_names() -> list[str]:
    """Return the names of the maps that can be loaded."""
    return sorted(MAPS)
