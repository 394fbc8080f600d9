"""The texture atlas: all textures and their mip levels in one array, which the shading kernel samples."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from simulator.drawing import emblems, facades, surfaces
from simulator.drawing.surfaces import SIZE, Painter

PAINTERS: dict[str, Painter] = {**surfaces.PAINTERS, **facades.PAINTERS, **emblems.PAINTERS}
NAMES = tuple(PAINTERS)
INDEX = {name: i for i, name in enumerate(NAMES)}
LEVELS = 8  # 512 down to 4 pixels
OFFSETS = np.concatenate([[0], np.cumsum([(SIZE >> level) ** 2 for level in range(LEVELS)])]).astype(np.int64)


class Textures(NamedTuple):
    """All textures.

    texels (textures, pixels of all levels, 4): uint8, level k starts at offsets[k]; clouds (n, n): float32 cloud cover;
    stains (n, n): float32 low-frequency noise for puddles and for hiding repetition.
    """

    texels: np.ndarray
    offsets: np.ndarray
    clouds: np.ndarray
    stains: np.ndarray


def paint_textures(seed: int) -> Textures:
    """Paint every texture. Equal seeds produce equal textures."""
    texels = np.empty((len(NAMES), OFFSETS[-1], 4), np.uint8)
    for i, (name, painter) in enumerate(PAINTERS.items()):
        image = painter(np.random.default_rng([seed, i, len(name)]))
        for level in range(LEVELS):
            texels[i, OFFSETS[level] : OFFSETS[level + 1]] = image.reshape(-1, 4)
            image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    clouds = surfaces.clouds(np.random.default_rng([seed, 1001]))
    stains = surfaces.noise(np.random.default_rng([seed, 1002]), 8, 5, 0.6)
    return Textures(texels, OFFSETS, clouds, stains)
