"""Shadows: a shadow map of the sun, and contact shadows on the ground beside and under objects.

The shadows of the fixed town are drawn once per position on a coarse grid and cached.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from numba import njit

from simulator.drawing import raster
from simulator.drawing.atmosphere import Light
from simulator.drawing.raster import JIT, View
from simulator.drawing.scenery import Scenery
from simulator.drawing.shading import ShadowMap
from simulator.drawing.stage import PropGroup, Ranges

SHADOW_TEXELS = 1280  # per side of the shadow map
HALF_EXTENT = 76.0  # metres from the centre of the shadow map to its border
AHEAD = 48.0  # metres from the camera to that centre
GRID = 16.0  # metres; the centre snaps to multiples
CONTACT_TEXELS, CONTACT_SCALE = 640, 4.0  # texels per side, texels per metre
MIN_BEAM = 0.12  # radiance of the sun's beam below which shadows are invisible
CACHE_SIZE = 4
CASTER_LEVEL = 1  # level of detail of props that cast shadows
BANDS = 4  # of rows of the shadow map, drawn in parallel
UNOCCLUDED = 1e9  # metres; value of a texel that no triangle covers


class Shadows(NamedTuple):
    """The shadow map, and contact shadows on the ground.

    contact (n, n): fraction of skylight that reaches the ground; corner (2,): its first texel's position in
    metres; scale: texels per metre.
    """

    shadow_map: ShadowMap
    contact: np.ndarray
    corner: np.ndarray
    scale: float


class ShadowCache:
    """Draws and caches the shadows of a town's fixed objects."""

    def __init__(self, scenery: Scenery) -> None:
        self.scenery = scenery
        self.entries: OrderedDict[tuple, Shadows] = OrderedDict()

    def shadows(self, view: View, light: Light, pool: ThreadPoolExecutor) -> Shadows:
        """Return the fixed shadows on the ground ahead of a camera; they depend only on view and light."""
        ahead = view.rows[2] * [1, 1, 0]
        ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-6)
        centre = np.round((view.position[:2] + AHEAD * ahead[:2]) / GRID) * GRID
        key = (*centre.tolist(), light.sun, light.beam[0] > MIN_BEAM)
        if key not in self.entries:
            self.entries[key] = self._draw(centre, light, pool)
            if len(self.entries) > CACHE_SIZE:
                self.entries.popitem(last=False)
        self.entries.move_to_end(key)
        return self.entries[key]

    def _draw(self, centre: np.ndarray, light: Light, pool: ThreadPoolExecutor) -> Shadows:
        corner = centre - CONTACT_TEXELS / CONTACT_SCALE / 2
        contact = self._contact(corner)
        axes = light_axes(light)
        if light.beam[0] <= MIN_BEAM:
            empty = ShadowMap(np.full((1, 1), UNOCCLUDED, np.float32), axes, np.zeros(2), 1.0)
            return Shadows(empty, contact, corner, CONTACT_SCALE)
        scale = SHADOW_TEXELS / (2 * HALF_EXTENT)
        map_centre = axes[:2] @ np.array([*centre, 0.0])
        map_corner = np.floor(map_centre * scale) / scale - HALF_EXTENT
        shadow_map = ShadowMap(np.full((SHADOW_TEXELS, SHADOW_TEXELS), UNOCCLUDED, np.float32), axes, map_corner, scale)
        draw_casters(self.scenery, shadow_map, self._casters(axes, map_centre), pool)
        return Shadows(shadow_map, contact, corner, CONTACT_SCALE)

    def _casters(self, axes: np.ndarray, map_centre: np.ndarray) -> Ranges:
        """Place the fixed props near the shadow map; return all fixed triangles whose shadow may fall on it."""
        stage = self.scenery.stage

        def near(centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
            return np.flatnonzero(
                (np.abs(centre @ axes[:2].T - map_centre) < HALF_EXTENT + radius[:, None]).all(axis=1)
            )

        chunks = near(stage.chunk_centre, stage.chunk_radius)
        fixed = stage.fixed_props
        props = near(fixed.centre, fixed.radius)
        stage.clear()
        first, last = stage.place(fixed, props, np.full(len(props), CASTER_LEVEL), np.zeros(len(props), np.int64))
        return Ranges(
            np.concatenate([first, stage.chunk_first[chunks]]),
            np.concatenate([last, stage.chunk_last[chunks]]),
        )

    def _contact(self, corner: np.ndarray) -> np.ndarray:
        """Return the contact shadows of the fixed objects, see `Shadows`."""
        stage = self.scenery.stage
        covered = np.zeros((CONTACT_TEXELS, CONTACT_TEXELS), np.uint8)
        for outline in self.scenery.footprints:
            pixels = np.round((outline - corner) * CONTACT_SCALE).astype(np.int32)
            if (pixels.max(axis=0) > 0).all() and (pixels.min(axis=0) < CONTACT_TEXELS).all():
                cv2.fillPoly(covered, [pixels], 255)
        blurred = cv2.GaussianBlur(covered, (0, 0), 1.6 * CONTACT_SCALE).astype(np.float32) / 255
        contact = 1.0 - 0.75 * blurred
        centre = corner + CONTACT_TEXELS / CONTACT_SCALE / 2
        reach = CONTACT_TEXELS / CONTACT_SCALE / 2 + 5
        props = stage.fixed_props
        darken_ground(contact, corner, props, np.flatnonzero(np.abs(props.centre[:, :2] - centre).max(axis=1) < reach))
        return contact

    def with_bodies(self, shadows: Shadows, bodies: PropGroup, moving: Ranges, pool: ThreadPoolExecutor) -> Shadows:
        """Add the shadows of the moving bodies, whose triangles must be placed already."""
        contact = shadows.contact.copy()
        darken_ground(contact, shadows.corner, bodies, np.arange(len(bodies.props)))
        shadow_map = shadows.shadow_map
        if len(shadow_map.distance) > 1 and len(moving.first):
            shadow_map = shadow_map._replace(distance=shadow_map.distance.copy())
            draw_casters(self.scenery, shadow_map, moving, pool)
        return shadows._replace(shadow_map=shadow_map, contact=contact)


def light_axes(light: Light) -> np.ndarray:
    """Return rows (3, 3): right and up as seen from the sun, and the direction of its light."""
    along = -np.array(light.sun)
    right = np.cross(along, [0.0, 0.0, 1.0])
    right = right / max(float(np.linalg.norm(right)), 1e-6) if abs(along[2]) < 0.9999 else np.array([1.0, 0.0, 0.0])
    return np.stack([right, np.cross(right, along), along])


def draw_casters(scenery: Scenery, shadow_map: ShadowMap, ranges: Ranges, pool: ThreadPoolExecutor) -> None:
    """Draw triangles into a shadow map."""
    textures = scenery.textures
    raster.run_in_bands(
        pool,
        BANDS,
        len(shadow_map.distance),
        raster.cast_shadows,
        scenery.stage.triangles,
        ranges.first,
        ranges.last,
        shadow_map.axes,
        shadow_map.corner,
        shadow_map.scale,
        textures.texels,
        textures.offsets,
        shadow_map.distance,
    )


def darken_ground(contact: np.ndarray, corner: np.ndarray, group: PropGroup, index: np.ndarray) -> None:
    """Darken the ground under and beside the props `index` (n,) of a group. corner: see `Shadows`."""
    for i in index:
        matrix, is_vehicle = group.matrix[i], group.props[i].model.startswith("vehicle")
        scale = float(np.linalg.norm(matrix[:3, 0])) * CONTACT_SCALE
        half_length, half_width = (scale * half for half in group.models[i].footprint)
        x, y = (matrix[:2, 3] - corner) * CONTACT_SCALE
        yaw = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
        strong, soft = (0.86, 0.45) if is_vehicle else (0.55, 0.30)
        darken(contact, float(x), float(y), yaw, half_length, half_width, strong, soft * CONTACT_SCALE)


@njit(**JIT)
def darken(
    contact: np.ndarray,
    x: float,
    y: float,
    yaw: float,
    half_length: float,
    half_width: float,
    strong: float,
    soft: float,
) -> None:
    """Multiply a soft rectangle, centred at x, y and turned by `yaw` radians, into `contact`; all lengths in texels.

    strong: fraction of the light that is lost in the middle. soft: width of the soft border.
    """
    cos, sin = np.cos(yaw), np.sin(yaw)
    reach = half_length + half_width + 3 * soft
    size = len(contact)
    for row in range(max(0, int(y - reach)), min(size, int(y + reach) + 1)):
        for column in range(max(0, int(x - reach)), min(size, int(x + reach) + 1)):
            dx, dy = column + 0.5 - x, row + 0.5 - y
            along = max(abs(dx * cos + dy * sin) - half_length + soft, 0.0)
            across = max(abs(dy * cos - dx * sin) - half_width + soft, 0.0)
            away = np.sqrt(along * along + across * across) / (2.6 * soft)
            if away < 1.0:
                fade = 1.0 - away
                contact[row, column] *= 1.0 - strong * fade * fade * (3.0 - 2.0 * fade)
