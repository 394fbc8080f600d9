"""Convert CARLA's weather parameters to the inputs of shading: light, sky, haze, water and exposure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.weather import Weather

Vector = tuple[float, float, float]


class Light(NamedTuple):
    """The state of sky and light; colours are linear radiance.

    sun: unit vector towards the sun (or moon). beam: its light on a surface that faces it.
    zenith, horizon: the sky's colours. ambient: the sky's light on a surface that faces up.
    cloud: colour of clouds; cover: fraction of the sky they cover; drift: how far they have moved.
    glow: strength of the halo around the sun. haze: extinction per metre, from haze_start metres on.
    wet: 0 dry to 1 soaked. puddles: fraction of the ground under water. night: 0 to 1.
    exposure: factor before the tone curve. rain: strength, 0 to 1. time: seconds.
    """

    sun: Vector
    beam: Vector
    zenith: Vector
    horizon: Vector
    ambient: Vector
    cloud: Vector
    glow: float
    cover: float
    haze: float
    haze_start: float
    wet: float
    puddles: float
    night: float
    exposure: float
    drift: float
    rain: float
    time: float


def smoothstep(value: float, low: float, high: float) -> float:
    """Interpolate smoothly from 0 at `low` to 1 at `high`."""
    x = float(np.clip((value - low) / (high - low), 0.0, 1.0))
    return x * x * (3 - 2 * x)


def light_of(weather: Weather, time: float) -> Light:
    """Return the light at a time in seconds; only clouds and rain depend on the time."""
    altitude = weather.sun_altitude_angle
    day, warm = smoothstep(altitude, -8.0, 9.0), 1.0 - smoothstep(altitude, 4.0, 32.0)  # warm: the sun is low
    cloudiness, rain = weather.cloudiness / 100.0, weather.precipitation / 100.0
    overcast = max(smoothstep(cloudiness, 0.25, 0.85), 0.8 * smoothstep(rain, 0.2, 0.8))
    dust = weather.dust_storm / 100.0
    sky = sky_colours(day, warm, overcast, rain, dust)
    sun_angle = max(altitude, 2.5) if altitude > -4.0 else 38.0  # the moon's when the sun is below the horizon
    strength = day * smoothstep(altitude, -3.0, 8.0) * (1 - 0.97 * overcast) * (1 - 0.9 * dust)
    beam = strength * mix(np.array([2.75, 2.58, 2.28]), np.array([3.0, 1.62, 0.72]), warm)
    beam = beam + (1 - day) * (1 - overcast) * np.array([0.010, 0.012, 0.018])  # moonlight
    elevation, azimuth = np.radians(sun_angle), np.radians(weather.sun_azimuth_angle)
    sun = (np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation))
    haze, start = haze_of(weather, rain, dust)
    ambient = (0.70 * sky["zenith"] + 0.48 * sky["horizon"]) * (1 + 0.45 * overcast * day)
    ambient = mix(ambient, np.full(3, ambient.mean()) * [1.04, 1.0, 0.98], 0.45)  # light reflected by streets and walls
    ambient = ambient + (1 - day) * np.array([0.010, 0.011, 0.014])
    return Light(
        sun=vector(sun),
        beam=vector(beam),
        zenith=vector(sky["zenith"]),
        horizon=vector(sky["horizon"]),
        ambient=vector(ambient),
        cloud=vector(sky["cloud"]),
        glow=float(day * (1 - overcast) * (1 + 0.9 * warm)),
        cover=float(np.clip(cloudiness, 0.0, 1.0)),
        haze=haze,
        haze_start=start,
        wet=float(
            np.clip(
                max(weather.wetness / 100, 0.3 + weather.precipitation_deposits / 75, rain)
                if max(weather.wetness, weather.precipitation_deposits, weather.precipitation) > 0
                else 0,
                0,
                1,
            )
        ),
        puddles=float(np.clip(weather.precipitation_deposits / 100, 0.0, 1.0)),
        night=1.0 - day,
        exposure=float(mix(4.3, mix(0.62, 0.74, max(warm, 0.8 * overcast)), day)),
        drift=float(time * (0.0004 + 0.00004 * weather.wind_intensity)),
        rain=rain,
        time=float(time),
    )


def sky_colours(day: float, warm: float, overcast: float, rain: float, dust: float) -> dict[str, np.ndarray]:
    """Return the colours of "zenith", "horizon" and "cloud".

    All arguments are 0 to 1: day (0: night), warm (1: the sun is low), overcast, rain and dust.
    """
    zenith = mix(np.array([0.17, 0.36, 0.76]), np.array([0.20, 0.27, 0.50]), warm)
    horizon = mix(np.array([0.64, 0.80, 1.0]), np.array([1.12, 0.66, 0.36]), warm)
    grey = np.array([0.60, 0.645, 0.70]) * (1 - 0.30 * warm) * (1 - 0.35 * rain)
    zenith, horizon = mix(zenith, grey * 0.80, overcast), mix(horizon, grey * 1.05, overcast)
    cloud = mix(np.array([1.35, 1.35, 1.38]), np.array([1.35, 0.86, 0.64]), warm)
    cloud = mix(cloud, grey * 1.05, overcast)
    sand = np.array([0.78, 0.52, 0.28])
    zenith, horizon, cloud = (mix(c, sand, 0.9 * dust) for c in (zenith, horizon, cloud))
    dark = {
        "zenith": (0.0030, 0.0045, 0.0105),
        "horizon": (0.016, 0.015, 0.020),
        "cloud": (0.011, 0.010, 0.012),
    }
    bright = {"zenith": zenith, "horizon": horizon, "cloud": cloud}
    return {name: mix(np.array(dark[name]), colour, day) for name, colour in bright.items()}


def haze_of(weather: Weather, rain: float, dust: float) -> tuple[float, float]:
    """Return the haze's (extinction per metre, metres at which it starts). rain, dust: 0 to 1."""
    # CARLA's night presets have a fog density of 60 from 75 m on
    density = np.clip(weather.fog_density, 0, 100) / 100
    haze = 0.0007 + 0.075 * density**2.2 + 0.007 * rain + 0.05 * dust
    return float(haze), float(np.clip(weather.fog_distance, 0.0, 200.0))


def mix(a: np.ndarray | float, b: np.ndarray | float, weight: float) -> np.ndarray | float:
    """Interpolate linearly: a at weight 0, b at weight 1."""
    return a * (1 - weight) + b * weight


def vector(values: np.ndarray | tuple[float, float, float]) -> Vector:
    """Convert three numbers to Python floats."""
    x, y, z = (float(v) for v in values)
    return x, y, z
