"""The weather parameters of CARLA: fourteen numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

NUM_PARAMETERS = 14


@dataclass(frozen=True)
class Weather:
    """The parameters of `carla.WeatherParameters`, same names and order; the defaults are its ClearNoon.

    Percentages run from 0 to 100, angles are degrees, `fog_distance` is metres.
    """

    cloudiness: float = 5.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth_angle: float = -1.0
    sun_altitude_angle: float = 45.0
    fog_density: float = 2.0
    fog_distance: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0

    @classmethod
    def from_wire(cls, values: Sequence[float]) -> Weather:
        """Return the weather sent by a client, 14 numbers; raise ValueError for any other count."""
        if len(values) != NUM_PARAMETERS:
            raise ValueError(f"weather has {len(values)} parameters, it needs {NUM_PARAMETERS}")
        return cls(*(float(value) for value in values))

    def to_wire(self) -> list[float]:
        """Return the 14 numbers in the order of the protocol."""
        return list(astuple(self))
