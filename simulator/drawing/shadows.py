"""Shadows of the sun, and the darkening of the ground beside and under things.

What the fixed town throws is drawn once for each square of the ground that the camera comes to, and kept.
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
from simulator.drawing.stage import Crowd, Ranges

TEXELS = 1280
REACH = 76.0  # metres from the middle of the shadow map to its border
AHEAD = 48.0  # metres from the camera to the middle
SNAP = 16.0  # metres by which the middle moves
CONTACT_TEXELS, CONTACT_SCALE = 640, 4.0  # texels, and texels a metre
LEAST_SUN = 0.12  # of the beam, below which shadows cannot be seen
KEPT = 4
CASTER_LEVEL = 1  # of detail, of props
BANDS = 4
FAR = 1e9


class Shade(NamedTuple):
    """The shadow map, and the share of skylight on the ground (n, n): its corner (2,), texels a metre."""

    shadow: ShadowMap
    contact: np.ndarray
    corner: np.ndarray
    scale: float


class ShadeKeeper:
    """Makes and keeps the shade of a town's fixed things."""

    def __init__(self, scenery: Scenery) -> None:
        self.scenery = scenery
        self.kept: OrderedDict[tuple, Shade] = OrderedDict()

    def shade(self, view: View, light: Light, pool: ThreadPoolExecutor) -> Shade:
        """The shade about the ground before a camera; a function of the arguments alone."""
        ahead = view.rows[2] * [1, 1, 0]
        ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-6)
        middle = np.round((view.position[:2] + AHEAD * ahead[:2]) / SNAP) * SNAP
        key = (*middle.tolist(), light.sun, light.beam[0] > LEAST_SUN)
        if key not in self.kept:
            self.kept[key] = self._make(middle, light, pool)
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return self.kept[key]

    def _make(self, middle: np.ndarray, light: Light, pool: ThreadPoolExecutor) -> Shade:
        corner = middle - CONTACT_TEXELS / CONTACT_SCALE / 2
        contact = self._contact(corner)
        axes = light_axes(light)
        if light.beam[0] <= LEAST_SUN:
            nothing = ShadowMap(np.full((1, 1), FAR, np.float32), axes, np.zeros(2), 1.0)
            return Shade(nothing, contact, corner, CONTACT_SCALE)
        scale = TEXELS / (2 * REACH)
        on_map = axes[:2] @ np.array([*middle, 0.0])
        shadow = ShadowMap(
            np.full((TEXELS, TEXELS), FAR, np.float32), axes, np.floor(on_map * scale) / scale - REACH, scale
        )
        cast(self.scenery, shadow, self._casters(axes, on_map), pool)
        return Shade(shadow, contact, corner, CONTACT_SCALE)

    def _casters(self, axes: np.ndarray, on_map: np.ndarray) -> Ranges:
        """The fixed triangles whose shadow may fall on the map, props placed."""
        stage = self.scenery.stage

        def near(centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
            return np.flatnonzero((np.abs(centre @ axes[:2].T - on_map) < REACH + radius[:, None]).all(axis=1))

        squares = near(stage.chunk_centre, stage.chunk_radius)
        props = near(stage.crowd.centre, stage.crowd.radius)
        stage.clear()
        first, last = stage.place(stage.crowd, props, np.full(len(props), CASTER_LEVEL), np.zeros(len(props), np.int64))
        return Ranges(
            np.concatenate([first, stage.chunk_first[squares]]),
            np.concatenate([last, stage.chunk_last[squares]]),
        )

    def _contact(self, corner: np.ndarray) -> np.ndarray:
        """Skylight on the ground beside the fixed things."""
        stage = self.scenery.stage
        built = np.zeros((CONTACT_TEXELS, CONTACT_TEXELS), np.uint8)
        for outline in self.scenery.footprints:
            pixels = np.round((outline - corner) * CONTACT_SCALE).astype(np.int32)
            if (pixels.max(axis=0) > 0).all() and (pixels.min(axis=0) < CONTACT_TEXELS).all():
                cv2.fillPoly(built, [pixels], 255)
        near = cv2.GaussianBlur(built, (0, 0), 1.6 * CONTACT_SCALE).astype(np.float32) / 255
        contact = 1.0 - 0.75 * near
        middle = corner + CONTACT_TEXELS / CONTACT_SCALE / 2
        reach = CONTACT_TEXELS / CONTACT_SCALE / 2 + 5
        crowd = stage.crowd
        darken_under(contact, corner, crowd, np.flatnonzero(np.abs(crowd.centre[:, :2] - middle).max(axis=1) < reach))
        return contact

    def with_bodies(self, shade: Shade, bodies: Crowd, moving: Ranges, pool: ThreadPoolExecutor) -> Shade:
        """The shade with that of the moving bodies, whose triangles are placed already."""
        contact = shade.contact.copy()
        darken_under(contact, shade.corner, bodies, np.arange(len(bodies.props)))
        shadow = shade.shadow
        if len(shadow.distance) > 1 and len(moving.first):
            shadow = shadow._replace(distance=shadow.distance.copy())
            cast(self.scenery, shadow, moving, pool)
        return shade._replace(shadow=shadow, contact=contact)


def light_axes(light: Light) -> np.ndarray:
    """Rows (3, 3): right and up as the sun sees them, and the direction of its light."""
    along = -np.array(light.sun)
    right = np.cross(along, [0.0, 0.0, 1.0])
    right = right / max(float(np.linalg.norm(right)), 1e-6) if abs(along[2]) < 0.9999 else np.array([1.0, 0.0, 0.0])
    return np.stack([right, np.cross(right, along), along])


def cast(scenery: Scenery, shadow: ShadowMap, ranges: Ranges, pool: ThreadPoolExecutor) -> None:
    """Draws triangles into a shadow map."""
    textures = scenery.textures
    raster.in_bands(
        pool,
        BANDS,
        len(shadow.distance),
        raster.cast_shadows,
        scenery.stage.triangles,
        ranges.first,
        ranges.last,
        shadow.axes,
        shadow.corner,
        shadow.scale,
        textures.texels,
        textures.offsets,
        shadow.distance,
    )


def darken_under(contact: np.ndarray, corner: np.ndarray, crowd: Crowd, index: np.ndarray) -> None:
    """Takes skylight from the ground under and beside some of a crowd."""
    for i in index:
        matrix, is_vehicle = crowd.matrix[i], crowd.props[i].model.startswith("vehicle")
        scale = float(np.linalg.norm(matrix[:3, 0])) * CONTACT_SCALE
        half_length, half_width = (scale * half for half in crowd.models[i].footprint)
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
    """Multiplies a soft rectangle into `contact`; all lengths in texels."""
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
