"""Shading: the light that a surface point sends to the camera, from sun, sky, lamps, reflections and haze."""

from __future__ import annotations

from math import exp, floor, log2, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from simulator.drawing.atmosphere import Light
from simulator.drawing.lamplight import (
    BEAM_COLOUR,
    LAMP_COLOUR,
    WINDOW_COLOUR,
    Lamps,
    headlight,
    lamplight,
    lit_window,
)
from simulator.drawing.mesh import CUTOUT, DISTANT, FOLIAGE, NO_OCCLUSION, PAVED, TWO_SIDED, WINDOWS, Triangles
from simulator.drawing.raster import LAST_LEVEL, LEAF, TEXTURE_SIZE, View
from simulator.drawing.sky import add_haze, bilinear, environment
from simulator.drawing.textures import Textures

ANISOTROPY = 0.32  # factor on the longer side of a pixel's footprint: more aliasing, less blur


class ShadowMap(NamedTuple):
    """distance (n, n): metres along the light to the first surface; see `raster.cast_shadows` for the other fields."""

    distance: np.ndarray
    axes: np.ndarray
    corner: np.ndarray
    scale: float


class Scene(NamedTuple):
    """All inputs of shading except weather and camera.

    contact, contact_corner, contact_scale: contact shadows, see `shadows.Shadows`. headlights (n, 6): position and
    direction. mirror, blurred_mirror (h, w, 3): reflections in puddles and on wet ground, at half the image's size;
    empty when it is dry.
    """

    triangles: Triangles
    textures: Textures
    shadow_map: ShadowMap
    lamps: Lamps
    contact: np.ndarray
    contact_corner: np.ndarray
    contact_scale: float
    headlights: np.ndarray
    mirror: np.ndarray
    blurred_mirror: np.ndarray


@njit(**LEAF)
def sample_level(texels: np.ndarray, offset: int, texture: int, level: int, u: float, v: float) -> tuple:
    """Sample one mip level bilinearly: red, green, blue, alpha in 0..1."""
    size = TEXTURE_SIZE >> level
    u, v, mask = u * size - 0.5, v * size - 0.5, size - 1
    iu, iv = floor(u), floor(v)
    fu, fv = u - iu, v - iv
    x0, y0 = iu & mask, iv & mask
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
def sample_texture(textures: Textures, texture: int, u: float, v: float, footprint: float) -> tuple:
    """Sample a texture, filtered to a footprint in texels: red, green, blue, alpha in 0..1."""
    level = min(log2(footprint), float(LAST_LEVEL)) if footprint > 1.0 else 0.0
    low = int(level)
    fraction = level - low
    r, g, b, a = sample_level(textures.texels, textures.offsets[low], texture, low, u, v)
    if fraction > 0.1 and low < LAST_LEVEL:
        r1, g1, b1, a1 = sample_level(textures.texels, textures.offsets[low + 1], texture, low + 1, u, v)
        r, g, b, a = r + (r1 - r) * fraction, g + (g1 - g) * fraction, b + (b1 - b) * fraction, a + (a1 - a) * fraction
    return r, g, b, a


@njit(**LEAF)
def sun_visibility(x: float, y: float, z: float, shadow_map: ShadowMap) -> float:
    """Return the fraction of the sun visible from a point, softened over three texels of the shadow map."""
    axes, distance = shadow_map.axes, shadow_map.distance
    u = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z - shadow_map.corner[0]) * shadow_map.scale - 0.5
    v = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z - shadow_map.corner[1]) * shadow_map.scale - 0.5
    light_depth = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z - 0.06
    iu, iv = floor(u), floor(v)
    size = len(shadow_map.distance)
    if iu < 1 or iv < 1 or iu >= size - 2 or iv >= size - 2:
        return 1.0
    # test the diagonals of the 4 x 4 texels first: if they agree, so do the others, except near very thin objects
    lit = 0
    for k in range(-1, 3):
        lit += (distance[iv + k, iu + k] > light_depth) + (distance[iv + k, iu + 1 - k] > light_depth)
    if lit == 0 or lit == 8:
        return lit / 8.0
    fu, fv, total = u - iu, v - iv, 0.0
    for j in range(-1, 3):
        line = (1.0 - fu) * (distance[iv + j, iu - 1] > light_depth) + (distance[iv + j, iu] > light_depth)
        line += (distance[iv + j, iu + 1] > light_depth) + fu * (distance[iv + j, iu + 2] > light_depth)
        total += line * (1.0 - fv if j == -1 else (fv if j == 2 else 1.0))
    return total / 9.0


@njit(**LEAF)
def contact_light(x: float, y: float, scene: Scene) -> float:
    """Return the fraction of skylight that reaches the ground at x, y, beside or under objects."""
    u = (x - scene.contact_corner[0]) * scene.contact_scale - 0.5
    v = (y - scene.contact_corner[1]) * scene.contact_scale - 0.5
    size = len(scene.contact)
    if u < 0 or v < 0 or u >= size - 2 or v >= size - 2:
        return 1.0
    return bilinear(scene.contact, u, v)


@njit(**LEAF)
def puddle_coverage(x: float, y: float, light: Light, stains: np.ndarray) -> float:
    """Return 1 inside puddles and 0 outside, with a soft edge, for the ground at x, y metres."""
    if light.puddles <= 0.0:
        return 0.0
    depth = bilinear(stains, x * 16.0, y * 16.0) * 0.6 + bilinear(stains, x * 3.7, y * 3.7) * 0.4
    return min(max((depth - 0.615 + 0.14 * light.puddles) * 14.0, 0.0), 1.0)


@njit(**LEAF)
def reflection(x: float, y: float, sharpness: float, scene: Scene) -> tuple:
    """Return the mirror image at a pixel position: sharp at sharpness 1, blurred at 0."""
    rows, columns = scene.mirror.shape[0], scene.mirror.shape[1]
    column = min(max(int(x * 0.5), 0), columns - 1)
    row = min(max(int(y * 0.5), 0), rows - 1)
    sharp, blurred = scene.mirror[row, column], scene.blurred_mirror[row, column]
    return (
        blurred[0] + (sharp[0] - blurred[0]) * sharpness,
        blurred[1] + (sharp[1] - blurred[1]) * sharpness,
        blurred[2] + (sharp[2] - blurred[2]) * sharpness,
    )


@njit(**LEAF)
def barycentric(edges: np.ndarray, x: float, y: float) -> tuple:
    """Return (depth, weights of the three corners) at a pixel position, the weights clamped to 0..1."""
    e0 = edges[0] * x + edges[1] * y + edges[2]
    e1 = edges[3] * x + edges[4] * y + edges[5]
    z = 1.0 / max(e0 + e1 + edges[6] * x + edges[7] * y + edges[8], 1e-6)
    b0, b1 = min(max(e0 * z, 0.0), 1.0), min(max(e1 * z, 0.0), 1.0)
    return z, b0, b1, min(max(1.0 - b0 - b1, 0.0), 1.0)


@njit(**LEAF)
def footprint(edges: np.ndarray, p: np.ndarray, u: float, v: float, z: float) -> float:
    """Return the size in texels of a pixel's footprint, from the derivatives of u and v; see ANISOTROPY.

    p (20,): attributes of the triangle, see `mesh.Triangles`. u, v, z: texture coordinates and depth at the pixel.
    """
    za, zb = edges[0] + edges[3] + edges[6], edges[1] + edges[4] + edges[7]
    ux = (edges[0] * p[0] + edges[3] * p[2] + edges[6] * p[4] - u * za) * z
    uy = (edges[1] * p[0] + edges[4] * p[2] + edges[7] * p[4] - u * zb) * z
    vx = (edges[0] * p[1] + edges[3] * p[3] + edges[6] * p[5] - v * za) * z
    vy = (edges[1] * p[1] + edges[4] * p[3] + edges[7] * p[5] - v * zb) * z
    s1, s2 = sqrt(ux * ux + vx * vx), sqrt(uy * uy + vy * vy)
    return max(max(s1, s2) * ANISOTROPY, min(s1, s2)) * TEXTURE_SIZE


@njit(**LEAF)
def ground_wetness(x: float, y: float, scene: Scene, light: Light) -> tuple:
    """Return (factor on the colour, wetness, puddle coverage) of paved ground at x, y."""
    stains = scene.textures.stains
    slow = bilinear(stains, x * 5.0, y * 5.0) - 0.5
    grain = 1.0 + 0.30 * slow
    if light.wet <= 0.0:
        return grain, 0.0, 0.0
    puddle = puddle_coverage(x, y, light, stains)
    wet = light.wet * (1.0 - 0.35 * min(max(slow * 8.0 - 0.4, 0.0), 1.0))
    return grain * (1.0 - 0.50 * wet - 0.15 * puddle), wet, puddle


@njit(**LEAF)
def wet_colour(
    r: float, g: float, b: float, x: float, y: float, facing: float, tone: float, wet: float, puddle: float,
    scene: Scene,
) -> tuple:  # fmt: skip
    """Mix the colour of wet ground with its reflection at a pixel position, by Schlick's approximation.

    x, y: the pixel position. facing: dot product of viewing direction and normal, -1 to 0. tone: green of the texture.
    wet, puddle: see `ground_wetness`.
    """
    grazing = 1.0 + min(facing, 0.0)
    square = grazing * grazing
    reflectance = 0.03 + 0.97 * square * square * grazing
    reflectance *= puddle + (1.0 - puddle) * wet * (0.45 + 0.5 * tone)
    r1, g1, b1 = reflection(x, y + 2.0 * (tone - 0.42) * (1.0 - puddle), puddle, scene)
    return r + (r1 - r) * reflectance, g + (g1 - g) * reflectance, b + (b1 - b) * reflectance


@njit(**LEAF)
def glossy_colour(
    r: float, g: float, b: float, ax: float, ay: float, az: float, facing: float, gloss: float, sun: float,
    scene: Scene, light: Light,
) -> tuple:  # fmt: skip
    """Add the reflections of sun and environment to a glossy surface.

    (ax, ay, az): the reflected direction. facing: see `wet_colour`. sun: fraction of the sun that reaches the surface.
    """
    grazing = 1.0 + min(facing, 0.0)
    square = grazing * grazing
    reflectance = gloss * (0.09 + 0.85 * square * square)
    r1, g1, b1 = environment(ax, ay, az, light, scene.textures.clouds)
    specular = max(ax * light.sun[0] + ay * light.sun[1] + az * light.sun[2], 0.0)
    specular = specular * specular
    specular = specular * specular
    specular = specular * specular
    specular = specular * specular * specular * specular
    specular = specular * specular * 2.2 * sun * gloss
    return (
        r * (1 - reflectance) + r1 * reflectance + specular * light.beam[0],
        g * (1 - reflectance) + g1 * reflectance + specular * light.beam[1],
        b * (1 - reflectance) + b1 * reflectance + specular * light.beam[2],
    )


@njit(**LEAF)
def shade(t: int, edges: np.ndarray, x: float, y: float, scene: Scene, view: View, light: Light) -> tuple:
    """Return the radiance of triangle `t`, with its edge functions, at a pixel position: red, green, blue."""
    triangles = scene.triangles
    p, flags = triangles.attributes[t], triangles.flags[t]
    z, b0, b1, b2 = barycentric(edges, x, y)
    u, v = b0 * p[0] + b1 * p[2] + b2 * p[4], b0 * p[1] + b1 * p[3] + b2 * p[5]
    red, green, blue, alpha = 1.0, 1.0, 1.0, 1.0
    if triangles.texture[t] > 0:
        texels = footprint(edges, p, u, v, z)
        red, green, blue, alpha = sample_texture(scene.textures, triangles.texture[t], u, v, texels)
    tone = green
    red, green, blue = red * red * p[15], green * green * p[16], blue * blue * p[17]
    dx, dy, dz = pixel_ray(x, y, view)
    wx, wy, wz = view.position[0] + dx * z, view.position[1] + dy * z, view.position[2] + dz * z
    length = sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx / length, dy / length, dz / length
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
        factor, wet, puddle = ground_wetness(wx, wy, scene, light)
        red, green, blue = red * factor, green * factor, blue * factor
    r, g, b = r * red, g * green, b * blue
    if wet > 0.0 and len(scene.mirror) > 0:
        r, g, b = wet_colour(r, g, b, x, y, facing, tone, wet, puddle, scene)
    gloss = p[18] * (alpha if flags & WINDOWS else 1.0)
    if gloss > 0.02 and not flags & CUTOUT:
        ax, ay, az = dx - 2 * facing * nx, dy - 2 * facing * ny, dz - 2 * facing * nz
        r, g, b = glossy_colour(r, g, b, ax, ay, az, facing, gloss, sun, scene, light)
    if p[19] > 0.0:
        glow = p[19] * (1.0 - 0.82 * light.night)
        r, g, b = r + red * glow, g + green * glow, b + blue * glow
    if flags & WINDOWS and light.night > 0.05 and alpha > 0.1:
        bright = lit_window(u, v, triangles.object[t]) * alpha * light.night * (0.06 + tone * tone)
        r, g, b = r + bright * WINDOW_COLOUR[0], g + bright * WINDOW_COLOUR[1], b + bright * WINDOW_COLOUR[2]
    return add_haze(r, g, b, z * length, dx, dy, light, flags & DISTANT)


@njit(**LEAF)
def pixel_ray(x: float, y: float, view: View) -> tuple:
    """Return the world vector from the camera to a pixel position at depth one metre."""
    rx, ry = (x - view.centre_x) / view.focal, (view.centre_y - y) / view.focal
    return (
        view.rows[0, 0] * rx + view.rows[1, 0] * ry + view.rows[2, 0],
        view.rows[0, 1] * rx + view.rows[1, 1] * ry + view.rows[2, 1],
        view.rows[0, 2] * rx + view.rows[1, 2] * ry + view.rows[2, 2],
    )


@njit(**LEAF)
def diffuse(
    wx: float, wy: float, wz: float, nx: float, ny: float, nz: float, flags: int, scene: Scene, light: Light
) -> tuple:
    """Return the light on a matt surface (red, green, blue) and the fraction of the sun that reaches it.

    (wx, wy, wz): the point. (nx, ny, nz): its normal. flags: of the triangle.
    """
    cos_sun = nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2]
    if flags & FOLIAGE:
        cos_sun = 0.32 + 0.68 * cos_sun
    sun = 0.0
    if cos_sun > 0.0 and light.beam[0] > 0.005:
        offset = 0.75 if flags & FOLIAGE else 0.05 + 0.10 * (1.0 - min(cos_sun, 1.0))
        sun = sun_visibility(wx + nx * offset, wy + ny * offset, wz + nz * offset, scene.shadow_map)
    direct = max(cos_sun, 0.0) * sun
    upward = 0.5 + 0.5 * nz
    open_sky = 1.0
    if not flags & NO_OCCLUSION:
        open_sky = 1.0 - 0.42 * exp(-max(wz, 0.0) * 0.9) * (1.0 - max(nz, 0.0))
    if nz > 0.7 and wz < 0.4:
        open_sky *= contact_light(wx, wy, scene)
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
