"""The sky, the environment that glossy surfaces reflect, and haze."""

from __future__ import annotations

from math import exp, floor

import numpy as np
from numba import njit

from simulator.drawing.atmosphere import Light
from simulator.drawing.raster import LEAF


@njit(**LEAF)
def bilinear(field: np.ndarray, u: float, v: float) -> float:
    """Sample a tiling field (n, n), n a power of two, at u, v in texels."""
    mask = len(field) - 1
    iu, iv = floor(u), floor(v)
    fu, fv = u - iu, v - iv
    x0, y0 = iu & mask, iv & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    top = field[y0, x0] * (1 - fu) + field[y0, x1] * fu
    return top * (1 - fv) + (field[y1, x0] * (1 - fu) + field[y1, x1] * fu) * fv


@njit(**LEAF)
def sky_radiance(dx: float, dy: float, dz: float, light: Light, clouds: np.ndarray) -> tuple:
    """Return the radiance of the sky in a unit direction: red, green, blue."""
    up = max(dz, 0.0)
    horizon = (1.0 - up) * (1.0 - up)
    horizon = horizon * horizon
    cos_sun = max(dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2], 0.0)
    p4 = cos_sun * cos_sun  # powers of cos_sun: 4, 64, 512
    p4 = p4 * p4
    p64 = p4 * p4
    p64 = p64 * p64
    p64 = p64 * p64
    p64 = p64 * p64
    p512 = p64 * p64
    p512 = p512 * p512
    p512 = p512 * p512
    halo = light.glow * (0.10 * p4 + 0.35 * p64 + 5.0 * p512)
    cover, bright = 0.0, 1.0
    if dz > 0.01 and light.cover > 0.02:
        size = len(clouds)
        reach = 0.24 * size / (dz + 0.11)
        u, v = dx * reach + light.drift * size, dy * reach
        thick = bilinear(clouds, u, v) + 0.35 * (bilinear(clouds, u * 3.1, v * 3.1) - 0.5)
        cover = min(max((thick - (0.86 - 0.78 * light.cover)) * 3.2, 0.0), 1.0) * min(1.0, dz * 8.0)
        bright = 1.12 - 0.42 * thick
    r = (light.zenith[0] * (1 - horizon) + light.horizon[0] * horizon) * (1 - cover) + light.cloud[0] * bright * cover
    g = (light.zenith[1] * (1 - horizon) + light.horizon[1] * horizon) * (1 - cover) + light.cloud[1] * bright * cover
    b = (light.zenith[2] * (1 - horizon) + light.horizon[2] * horizon) * (1 - cover) + light.cloud[2] * bright * cover
    halo *= 1 - 0.75 * cover
    return r + halo * light.beam[0], g + halo * light.beam[1], b + halo * light.beam[2]


@njit(**LEAF)
def environment(dx: float, dy: float, dz: float, light: Light, clouds: np.ndarray) -> tuple:
    """Return what a glossy surface reflects: sky above, darker buildings near the horizon, road below."""
    r, g, b = sky_radiance(dx, dy, max(dz, 0.02), light, clouds)
    above = min(max((dz - 0.02) * 3.2, 0.0), 1.0)
    if dz < 0.0:
        road = max(0.4, 1.0 + dz * 2.0)
        return 0.20 * light.ambient[0] * road, 0.20 * light.ambient[1] * road, 0.20 * light.ambient[2] * road
    houses = 1.0 - above
    return (
        r * above + 0.30 * light.ambient[0] * houses,
        g * above + 0.28 * light.ambient[1] * houses,
        b * above + 0.26 * light.ambient[2] * houses,
    )


@njit(**LEAF)
def add_haze(r: float, g: float, b: float, distance: float, dx: float, dy: float, light: Light, distant: int) -> tuple:
    """Mix in the haze between the camera and a point `distance` metres away in the direction (dx, dy).

    distant: the flag DISTANT, which adds haze, or 0.
    """
    transmittance = exp(-max(distance - light.haze_start, 0.0) * light.haze - (0.0009 * distance if distant else 0.0))
    cos_sun = max(dx * light.sun[0] + dy * light.sun[1], 0.0)
    cos_sun = cos_sun * cos_sun
    halo = light.glow * 0.12 * cos_sun * cos_sun
    r = (light.horizon[0] + halo * light.beam[0]) * (1 - transmittance) + r * transmittance
    g = (light.horizon[1] + halo * light.beam[1]) * (1 - transmittance) + g * transmittance
    b = (light.horizon[2] + halo * light.beam[2]) * (1 - transmittance) + b * transmittance
    return r, g, b
