"""The light that a point of the town sends to the camera: sun, sky, lamps, reflections, haze."""

from __future__ import annotations

from math import exp, floor, log2, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from simulator.drawing.mesh import CUTOUT, FOLIAGE, HILL, OPEN, PAVED, TWO_SIDED, WINDOWS, Triangles
from simulator.drawing.raster import LAST_LEVEL, LEAF, TEXTURE_SIZE, View
from simulator.drawing.textures import Textures
from simulator.drawing.weather import Light

LAMP_COLOUR = (1.0, 0.72, 0.42)
BEAM_COLOUR = (1.0, 0.94, 0.82)
WINDOW_COLOUR = (1.0, 0.70, 0.36)
ANISOTROPY = 0.32  # how far the longer side of a pixel's footprint blurs a texture


class ShadowMap(NamedTuple):
    """distance (n, n): how far along the light the first thing is; see `raster.cast_shadows` for the rest."""

    distance: np.ndarray
    axes: np.ndarray
    corner: np.ndarray
    scale: float


class Lamps(NamedTuple):
    """Street lamps. heads (n, 3); cells (rows, columns, 4): the nearest lamps of each square of the ground,
    or -1; corner (2,) of the first square, and their size in metres."""

    heads: np.ndarray
    cells: np.ndarray
    corner: np.ndarray
    cell: float


class Scene(NamedTuple):
    """All that light depends on but weather and camera.

    contact (n, n): share of skylight that reaches the ground, about contact_corner, contact_scale texels a
    metre. headlights (n, 6): position and direction. mirror, haze_mirror (h, w, 3): what a puddle and what a
    wet road reflect, at half the picture's size; empty when it is dry.
    """

    triangles: Triangles
    textures: Textures
    shadow: ShadowMap
    lamps: Lamps
    contact: np.ndarray
    contact_corner: np.ndarray
    contact_scale: float
    headlights: np.ndarray
    mirror: np.ndarray
    haze_mirror: np.ndarray


@njit(**LEAF)
def bilinear(field: np.ndarray, u: float, v: float) -> float:
    """A tiling field (n, n), n a power of two, at u, v in texels."""
    mask = len(field) - 1
    iu, iv = floor(u), floor(v)
    fu, fv = u - iu, v - iv
    x0, y0 = int(iu) & mask, int(iv) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    top = field[y0, x0] * (1 - fu) + field[y0, x1] * fu
    return top * (1 - fv) + (field[y1, x0] * (1 - fu) + field[y1, x1] * fu) * fv


@njit(**LEAF)
def texel(texels: np.ndarray, offset: int, texture: int, level: int, u: float, v: float) -> tuple:
    """One mip level, bilinear: red, green, blue, alpha in 0..1."""
    size = TEXTURE_SIZE >> level
    u, v, mask = u * size - 0.5, v * size - 0.5, size - 1
    iu, iv = floor(u), floor(v)
    fu, fv = u - iu, v - iv
    x0, y0 = int(iu) & mask, int(iv) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    a, b = offset + y0 * size + x0, offset + y0 * size + x1
    c, d = offset + y1 * size + x0, offset + y1 * size + x1
    w1, w2, w3 = fu * (1 - fv), (1 - fu) * fv, fu * fv
    w0, scale = (1 - fu) * (1 - fv), 1.0 / 255.0
    t, m = texels, texture
    return (
        (w0 * t[m, a, 0] + w1 * t[m, b, 0] + w2 * t[m, c, 0] + w3 * t[m, d, 0]) * scale,
        (w0 * t[m, a, 1] + w1 * t[m, b, 1] + w2 * t[m, c, 1] + w3 * t[m, d, 1]) * scale,
        (w0 * t[m, a, 2] + w1 * t[m, b, 2] + w2 * t[m, c, 2] + w3 * t[m, d, 2]) * scale,
        (w0 * t[m, a, 3] + w1 * t[m, b, 3] + w2 * t[m, c, 3] + w3 * t[m, d, 3]) * scale,
    )


@njit(**LEAF)
def textured(textures: Textures, texture: int, u: float, v: float, footprint: float) -> tuple:
    """A texture filtered to a footprint in texels: red, green, blue, alpha in 0..1."""
    level = min(log2(footprint), float(LAST_LEVEL)) if footprint > 1.0 else 0.0
    low = int(level)
    share = level - low
    r, g, b, a = texel(textures.texels, textures.offsets[low], texture, low, u, v)
    if share > 0.1 and low < LAST_LEVEL:
        r1, g1, b1, a1 = texel(textures.texels, textures.offsets[low + 1], texture, low + 1, u, v)
        r, g, b, a = r + (r1 - r) * share, g + (g1 - g) * share, b + (b1 - b) * share, a + (a1 - a) * share
    return r, g, b, a


@njit(**LEAF)
def sky(dx: float, dy: float, dz: float, light: Light, clouds: np.ndarray) -> tuple:
    """Radiance of the sky in a unit direction: red, green, blue."""
    up = max(dz, 0.0)
    low = (1.0 - up) * (1.0 - up)
    low = low * low
    towards = max(dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2], 0.0)
    p4 = towards * towards
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
    r = (light.zenith[0] * (1 - low) + light.horizon[0] * low) * (1 - cover) + light.cloud[0] * bright * cover
    g = (light.zenith[1] * (1 - low) + light.horizon[1] * low) * (1 - cover) + light.cloud[1] * bright * cover
    b = (light.zenith[2] * (1 - low) + light.horizon[2] * low) * (1 - cover) + light.cloud[2] * bright * cover
    halo *= 1 - 0.75 * cover
    return r + halo * light.beam[0], g + halo * light.beam[1], b + halo * light.beam[2]


@njit(**LEAF)
def sunlit(x: float, y: float, z: float, shadow: ShadowMap) -> float:
    """Share of the sun that reaches a point, softened over three texels of the shadow map."""
    axes, distance = shadow.axes, shadow.distance
    u = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z - shadow.corner[0]) * shadow.scale - 0.5
    v = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z - shadow.corner[1]) * shadow.scale - 0.5
    far = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z - 0.06
    iu, iv = int(floor(u)), int(floor(v))
    size = len(shadow.distance)
    if iu < 1 or iv < 1 or iu >= size - 2 or iv >= size - 2:
        return 1.0
    fu, fv, total = u - iu, v - iv, 0.0
    for j in range(-1, 3):
        line = (1.0 - fu) * (distance[iv + j, iu - 1] > far) + (distance[iv + j, iu] > far)
        line += (distance[iv + j, iu + 1] > far) + fu * (distance[iv + j, iu + 2] > far)
        total += line * (1.0 - fv if j == -1 else (fv if j == 2 else 1.0))
    return total / 9.0


@njit(**LEAF)
def lamplight(x: float, y: float, z: float, nx: float, ny: float, nz: float, lamps: Lamps) -> float:
    """Light of the nearest street lamps on a surface."""
    column = int(floor((x - lamps.corner[0]) / lamps.cell))
    row = int(floor((y - lamps.corner[1]) / lamps.cell))
    if row < 0 or column < 0 or row >= lamps.cells.shape[0] or column >= lamps.cells.shape[1]:
        return 0.0
    total = 0.0
    for k in range(4):
        lamp = lamps.cells[row, column, k]
        if lamp < 0:
            break
        dx, dy, dz = lamps.heads[lamp, 0] - x, lamps.heads[lamp, 1] - y, lamps.heads[lamp, 2] - z
        square = dx * dx + dy * dy + dz * dz + 0.3
        near = 1.0 / sqrt(square)
        facing = max((nx * dx + ny * dy + nz * dz) * near * 0.8 + 0.2, 0.0)
        cone = min(max(dz * near * 1.7 - 0.12, 0.0), 1.0)
        total += facing * cone / square
    return total * 8.5


@njit(**LEAF)
def headlight(
    x: float, y: float, z: float, nx: float, ny: float, nz: float, headlights: np.ndarray
) -> float:
    """Light of the vehicles' dipped beams on a surface."""
    total = 0.0
    for k in range(len(headlights)):
        dx, dy, dz = x - headlights[k, 0], y - headlights[k, 1], z - headlights[k, 2]
        ahead = dx * headlights[k, 3] + dy * headlights[k, 4] + dz * headlights[k, 5]
        square = dx * dx + dy * dy + dz * dz + 1.0
        if ahead <= 0.0 or square > 3600.0:
            continue
        near = 1.0 / sqrt(square)
        cone = min(max((ahead * near - 0.80) * 6.0, 0.0), 1.0)
        facing = max(-(nx * dx + ny * dy + nz * dz) * near, 0.0) * 0.8 + 0.2 * max(-nx * headlights[k, 3]
                                                                             - ny * headlights[k, 4], 0.0)
        total += cone * cone * (facing + 0.06) / square
    return total * 34.0


@njit(**LEAF)
def contact(x: float, y: float, scene: Scene) -> float:
    """Share of skylight that reaches the ground beside and under things."""
    u = (x - scene.contact_corner[0]) * scene.contact_scale - 0.5
    v = (y - scene.contact_corner[1]) * scene.contact_scale - 0.5
    size = len(scene.contact)
    if u < 0 or v < 0 or u >= size - 2 or v >= size - 2:
        return 1.0
    return bilinear(scene.contact, u, v)


@njit(**LEAF)
def lit_window(u: float, v: float, thing: int) -> float:
    """How bright the window in this bay and storey is at night: 0 for most."""
    seed = (int(floor(u * 4)) * 73856093) ^ (int(floor(v * 4)) * 19349663) ^ (thing * 83492791)
    seed = (seed ^ (seed >> 13)) * 1274126177 & 0x7FFFFFFF
    chance = (seed >> 8 & 1023) / 1023.0
    return 0.0 if chance > 0.36 else 0.25 + 2.0 * chance


@njit(**LEAF)
def surroundings(dx: float, dy: float, dz: float, light: Light, clouds: np.ndarray) -> tuple:
    """What a glossy thing in the street mirrors: sky above, darker houses near the horizon, road below."""
    r, g, b = sky(dx, dy, max(dz, 0.02), light, clouds)
    high = min(max((dz - 0.02) * 3.2, 0.0), 1.0)
    low = 1.0 - high
    if dz < 0.0:
        low = max(0.4, 1.0 + dz * 2.0)
        return 0.20 * light.ambient[0] * low, 0.20 * light.ambient[1] * low, 0.20 * light.ambient[2] * low
    return (
        r * high + 0.30 * light.ambient[0] * low,
        g * high + 0.28 * light.ambient[1] * low,
        b * high + 0.26 * light.ambient[2] * low,
    )


@njit(**LEAF)
def puddle_share(x: float, y: float, light: Light, stains: np.ndarray) -> float:
    """1 inside puddles, 0 outside, with a soft rim."""
    if light.puddles <= 0.0:
        return 0.0
    depth = bilinear(stains, x * 16.0, y * 16.0) * 0.6 + bilinear(stains, x * 3.7, y * 3.7) * 0.4
    return min(max((depth - 0.615 + 0.14 * light.puddles) * 14.0, 0.0), 1.0)


@njit(**LEAF)
def reflected(x: float, y: float, share: float, scene: Scene) -> tuple:
    """What lies mirrored under a pixel: sharp at share 1, smeared at 0."""
    rows, columns = scene.mirror.shape[0], scene.mirror.shape[1]
    column = min(max(int(x * 0.5), 0), columns - 1)
    row = min(max(int(y * 0.5), 0), rows - 1)
    sharp, smeared = scene.mirror[row, column], scene.haze_mirror[row, column]
    return (
        smeared[0] + (sharp[0] - smeared[0]) * share,
        smeared[1] + (sharp[1] - smeared[1]) * share,
        smeared[2] + (sharp[2] - smeared[2]) * share,
    )


@njit(**LEAF)
def hazed(r: float, g: float, b: float, distance: float, dx: float, dy: float, light: Light, hill: int) -> tuple:
    """Mixes in the air between camera and point."""
    through = exp(-max(distance - light.haze_start, 0.0) * light.haze - (0.0009 * distance if hill else 0.0))
    towards = max(dx * light.sun[0] + dy * light.sun[1], 0.0)
    towards = towards * towards
    halo = light.glow * 0.12 * towards * towards
    r = (light.horizon[0] + halo * light.beam[0]) * (1 - through) + r * through
    g = (light.horizon[1] + halo * light.beam[1]) * (1 - through) + g * through
    b = (light.horizon[2] + halo * light.beam[2]) * (1 - through) + b * through
    return r, g, b


@njit(**LEAF)
def shade(t: int, edges: np.ndarray, x: float, y: float, scene: Scene, view: View, light: Light) -> tuple:
    """Radiance of triangle `t`, with its edge functions, at a pixel position: red, green, blue."""
    triangles, stains = scene.triangles, scene.textures.stains
    p, flags = triangles.attributes[t], triangles.flags[t]
    e0 = edges[0] * x + edges[1] * y + edges[2]
    e1 = edges[3] * x + edges[4] * y + edges[5]
    z = 1.0 / max(e0 + e1 + edges[6] * x + edges[7] * y + edges[8], 1e-6)
    b0, b1 = min(max(e0 * z, 0.0), 1.0), min(max(e1 * z, 0.0), 1.0)
    b2 = min(max(1.0 - b0 - b1, 0.0), 1.0)
    u, v = b0 * p[0] + b1 * p[2] + b2 * p[4], b0 * p[1] + b1 * p[3] + b2 * p[5]
    red, green, blue, alpha = 1.0, 1.0, 1.0, 1.0
    if triangles.texture[t] > 0:
        za, zb = edges[0] + edges[3] + edges[6], edges[1] + edges[4] + edges[7]
        ux = (edges[0] * p[0] + edges[3] * p[2] + edges[6] * p[4] - u * za) * z
        uy = (edges[1] * p[0] + edges[4] * p[2] + edges[7] * p[4] - u * zb) * z
        vx = (edges[0] * p[1] + edges[3] * p[3] + edges[6] * p[5] - v * za) * z
        vy = (edges[1] * p[1] + edges[4] * p[3] + edges[7] * p[5] - v * zb) * z
        s1, s2 = sqrt(ux * ux + vx * vx), sqrt(uy * uy + vy * vy)
        footprint = max(max(s1, s2) * ANISOTROPY, min(s1, s2)) * TEXTURE_SIZE
        red, green, blue, alpha = textured(scene.textures, triangles.texture[t], u, v, footprint)
    tone = green
    red, green, blue = red * red * p[15], green * green * p[16], blue * blue * p[17]
    # the ray and the point in the world
    rx, ry = (x - view.centre_x) / view.focal, (view.centre_y - y) / view.focal
    dx = view.rows[0, 0] * rx + view.rows[1, 0] * ry + view.rows[2, 0]
    dy = view.rows[0, 1] * rx + view.rows[1, 1] * ry + view.rows[2, 1]
    dz = view.rows[0, 2] * rx + view.rows[1, 2] * ry + view.rows[2, 2]
    wx, wy, wz = view.position[0] + dx * z, view.position[1] + dy * z, view.position[2] + dz * z
    long = sqrt(dx * dx + dy * dy + dz * dz)
    distance = z * long
    dx, dy, dz = dx / long, dy / long, dz / long
    nx = b0 * p[6] + b1 * p[9] + b2 * p[12]
    ny = b0 * p[7] + b1 * p[10] + b2 * p[13]
    nz = b0 * p[8] + b1 * p[11] + b2 * p[14]
    scale = 1.0 / sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    facing = dx * nx + dy * ny + dz * nz
    if facing > 0 and flags & TWO_SIDED and not flags & FOLIAGE:
        nx, ny, nz, facing = -nx, -ny, -nz, -facing
    r, g, b, sun = diffuse(wx, wy, wz, nx, ny, nz, flags, scene, light)
    wet, puddle = 0.0, 0.0
    if flags & PAVED:
        slow = bilinear(stains, wx * 5.0, wy * 5.0) - 0.5
        grain = 1.0 + 0.30 * slow
        red, green, blue = red * grain, green * grain, blue * grain
        if light.wet > 0.0:
            puddle = puddle_share(wx, wy, light, stains)
            wet = light.wet * (1.0 - 0.35 * (slow > 0.14))
            dark = 1.0 - 0.50 * wet - 0.15 * puddle
            red, green, blue = red * dark, green * dark, blue * dark
    r, g, b = r * red, g * green, b * blue
    if wet > 0.0 and len(scene.mirror) > 0:
        grazing = 1.0 + min(facing, 0.0)
        square = grazing * grazing
        mirrored = 0.03 + 0.97 * square * square * grazing
        mirrored *= puddle + (1.0 - puddle) * wet * (0.45 + 0.5 * tone)
        r1, g1, b1 = reflected(x, y + 2.0 * (tone - 0.42) * (1.0 - puddle), puddle, scene)
        r, g, b = r + (r1 - r) * mirrored, g + (g1 - g) * mirrored, b + (b1 - b) * mirrored
    gloss = p[18] * (alpha if flags & WINDOWS else 1.0)
    if gloss > 0.02 and not flags & CUTOUT:
        ax, ay, az = dx - 2 * facing * nx, dy - 2 * facing * ny, dz - 2 * facing * nz
        grazing = 1.0 + min(facing, 0.0)
        square = grazing * grazing
        share = gloss * (0.09 + 0.85 * square * square)
        r1, g1, b1 = surroundings(ax, ay, az, light, scene.textures.clouds)
        towards = max(ax * light.sun[0] + ay * light.sun[1] + az * light.sun[2], 0.0)
        shine = towards * towards
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine * shine * shine
        shine = shine * shine * 2.2 * sun * gloss
        r = r * (1 - share) + r1 * share + shine * light.beam[0]
        g = g * (1 - share) + g1 * share + shine * light.beam[1]
        b = b * (1 - share) + b1 * share + shine * light.beam[2]
    if p[19] > 0.0:
        glow = p[19] * (1.0 - 0.82 * light.night)
        r, g, b = r + red * glow, g + green * glow, b + blue * glow
    if flags & WINDOWS and light.night > 0.05 and alpha > 0.1:
        bright = lit_window(u, v, triangles.object[t]) * alpha * light.night * (0.10 + 1.6 * tone * tone)
        r += bright * WINDOW_COLOUR[0] * 0.62
        g += bright * WINDOW_COLOUR[1] * 0.62
        b += bright * WINDOW_COLOUR[2] * 0.62
    return hazed(r, g, b, distance, dx, dy, light, flags & HILL)


@njit(**LEAF)
def diffuse(
    wx: float, wy: float, wz: float, nx: float, ny: float, nz: float, flags: int, scene: Scene, light: Light
) -> tuple:
    """Light that falls on a matt surface (red, green, blue), and the share of the sun that reaches it."""
    towards = nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2]
    if flags & FOLIAGE:
        towards = 0.32 + 0.68 * towards
    sun = 0.0
    if towards > 0.0 and light.beam[0] > 0.005:
        out = 0.75 if flags & FOLIAGE else 0.05 + 0.10 * (1.0 - min(towards, 1.0))
        sun = sunlit(wx + nx * out, wy + ny * out, wz + nz * out, scene.shadow)
    direct = max(towards, 0.0) * sun
    upward = 0.5 + 0.5 * nz
    open_sky = 1.0
    if not flags & OPEN:
        open_sky = 1.0 - 0.42 * exp(-max(wz, 0.0) * 0.9) * (1.0 - max(nz, 0.0))
    if nz > 0.7 and wz < 0.4:
        open_sky *= contact(wx, wy, scene)
    bounce = (1 - upward) * 0.40
    bounce_sun = (1 - upward) * 0.10 * light.sun[2]
    r = light.ambient[0] * (upward + bounce) * open_sky + light.beam[0] * (direct + bounce_sun * open_sky)
    g = light.ambient[1] * (upward + bounce * 0.95) * open_sky + light.beam[1] * (direct + bounce_sun * open_sky)
    b = light.ambient[2] * (upward + bounce * 0.86) * open_sky + light.beam[2] * (direct + bounce_sun * open_sky)
    if light.night > 0.05:
        lamp = lamplight(wx, wy, wz, nx, ny, nz, scene.lamps) * light.night
        beam = headlight(wx, wy, wz, nx, ny, nz, scene.headlights) * light.night
        r += lamp * LAMP_COLOUR[0] + beam * BEAM_COLOUR[0]
        g += lamp * LAMP_COLOUR[1] + beam * BEAM_COLOUR[1]
        b += lamp * LAMP_COLOUR[2] + beam * BEAM_COLOUR[2]
    return r, g, b, sun
