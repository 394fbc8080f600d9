"""From visible triangles to pixels: radiance, labels, depth, object numbers, and the finished pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from simulator.drawing.atmosphere import Light
from simulator.drawing.mesh import SKY
from simulator.drawing.raster import JIT, NOTHING, Seen, View
from simulator.drawing.shading import Scene, ray, shade
from simulator.drawing.sky import sky

FAR = 1000.0  # metres at which CARLA's depth picture is white
BRIGHTEST = 12.0  # cap of a sample's radiance, so that one lamp does not swallow a pixel's other samples


@njit(**JIT)
def resolve(
    nearest: np.ndarray,
    samples: int,
    seen: Seen,
    scene: Scene,
    view: View,
    light: Light,
    radiance: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fills rows of radiance (height, width, 3) float32: every triangle in a pixel is shaded once, in the
    middle of the samples that see it."""
    inside = np.empty(samples * samples, np.int32)
    step, weight = 1.0 / samples, 1.0 / (samples * samples)
    for row in range(row0, row1):
        for column in range(radiance.shape[1]):
            for i in range(samples):
                for j in range(samples):
                    inside[i * samples + j] = nearest[row * samples + i, column * samples + j]
            red, green, blue = 0.0, 0.0, 0.0
            for first in range(samples * samples):
                entry = inside[first]
                if entry < NOTHING:
                    continue
                x, y, count = 0.0, 0.0, 0
                for k in range(first, samples * samples):
                    if inside[k] == entry:
                        x += column + (k % samples + 0.5) * step
                        y += row + (k // samples + 0.5) * step
                        count += 1
                        inside[k] = NOTHING - 1
                x, y = x / count, y / count
                if entry == NOTHING:
                    r, g, b = sky_at(x, y, view, scene, light)
                else:
                    r, g, b = shade(seen.triangle[entry], seen.edges[entry], x, y, scene, view, light)
                share = weight * count
                red += share * min(r, BRIGHTEST)
                green += share * min(g, BRIGHTEST)
                blue += share * min(b, BRIGHTEST)
            radiance[row, column, 0], radiance[row, column, 1], radiance[row, column, 2] = red, green, blue


@njit(**JIT)
def sky_at(x: float, y: float, view: View, scene: Scene, light: Light) -> tuple:
    """Radiance of the sky behind a pixel position."""
    dx, dy, dz = ray(x, y, view)
    scale = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
    return sky(dx * scale, dy * scale, dz * scale, light, scene.textures.clouds)


@njit(**JIT)
def identify(
    nearest: np.ndarray,
    depth: np.ndarray,
    seen: Seen,
    label_of: np.ndarray,
    lift_of: np.ndarray,
    object_of: np.ndarray,
    label: np.ndarray,
    distance: np.ndarray,
    thing: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fills rows of label uint8, distance float32 (metres along the view) and thing int32, (height, width).

    A pixel's label is the one that most of its 2 x 2 samples see, the nearer one on a tie; distance and thing
    are those of its nearest sample with that label.
    """
    labels, closeness, entries = np.empty(4, np.int64), np.empty(4), np.empty(4, np.int64)
    for row in range(row0, row1):
        for column in range(label.shape[1]):
            for k in range(4):
                r, c = row * 2 + k // 2, column * 2 + k % 2
                entry = nearest[r, c]
                entries[k] = entry
                labels[k] = SKY if entry == NOTHING else label_of[seen.triangle[entry]]
                closeness[k] = 1.0 / FAR if entry == NOTHING else depth[r, c] / lift_of[seen.triangle[entry]]
            best, best_score = 0, -1.0
            for k in range(4):
                score = min(closeness[k], 1e3) * 1e-4
                for j in range(4):
                    if labels[j] == labels[k]:
                        score += 1.0
                if score > best_score:
                    best, best_score = k, score
            label[row, column] = labels[best]
            distance[row, column] = min(1.0 / closeness[best], FAR)
            entry = entries[best]
            thing[row, column] = 0 if entry == NOTHING else object_of[seen.triangle[entry]]


@njit(**JIT)
def develop(
    radiance: np.ndarray,
    bloom: np.ndarray,
    rain: np.ndarray,
    light: Light,
    out: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fills rows of out (height, width, 4) BGRA uint8 from radiance, with glare and falling rain on top.

    bloom (height, width, 3), or empty. rain (height, width) uint8, or empty. The tone curve is Narkowicz's
    fit of the film-like ACES curve (2015).
    """
    glaring = bloom.shape[0] > 0
    for row in range(row0, row1):
        for column in range(radiance.shape[1]):
            streak = 0.0
            if rain.shape[0] > 0:
                streak = rain[row, column] * (0.16 / 255.0)
            for c in range(3):
                value = radiance[row, column, c]
                if glaring:
                    value += bloom[row, column, c]
                value = value + streak * (light.horizon[c] * 1.25 + 0.25 * light.ambient[c] - value * 0.6)
                value = max(value * light.exposure, 0.0)
                value = value * (2.51 * value + 0.03) / (value * (2.43 * value + 0.59) + 0.14)
                out[row, column, 2 - c] = np.uint8(np.sqrt(min(value, 1.0)) * 255.0 + 0.5)
            out[row, column, 3] = 255


def glare(radiance: np.ndarray, light: Light) -> np.ndarray:
    """Halo (height, width, 3) round what is brighter than the film can hold; empty by day."""
    if light.night < 0.3:
        return np.empty((0, 0, 3), np.float32)
    height, width = radiance.shape[:2]
    small = cv2.resize(radiance, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    bright = np.minimum(np.maximum(small - 0.9 / light.exposure, 0.0), 3.0)
    spread = 0.55 * cv2.GaussianBlur(bright, (0, 0), width / 400 + 0.4)
    spread += 0.55 * cv2.GaussianBlur(bright, (0, 0), width / 80 + 1.0)
    return cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)


def rain_streaks(width: int, height: int, light: Light) -> np.ndarray:
    """Falling drops as uint8 (height, width); empty without rain. They depend on the light's time alone."""
    if light.rain < 0.05:
        return np.empty((0, 0), np.uint8)
    rng = np.random.default_rng(int(light.time * 1000) & 0xFFFFFFFF)
    streaks = np.zeros((height, width), np.uint8)
    count = int(900 * light.rain)
    start = rng.random((count, 2)) * [width * 1.1, height * 1.2] - [width * 0.05, height * 0.1]
    size = height * (0.03 + 0.09 * rng.random(count) ** 2)
    for (x, y), length, bright in zip(start, size, rng.integers(60, 255, count), strict=True):
        end = (int(x + length * 0.12), int(y + length))
        cv2.line(streaks, (int(x), int(y)), end, int(bright), 1, cv2.LINE_AA)
    return streaks


def label_picture(label: np.ndarray) -> np.ndarray:
    """CARLA's semantic picture: the id in red; BGRA uint8."""
    out = np.zeros((*label.shape, 4), np.uint8)
    out[..., 2], out[..., 3] = label, 255
    return out


def instance_picture(label: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """CARLA's instance picture: the id in red, the object's number in green (low byte) and blue."""
    out = label_picture(label)
    out[..., 1], out[..., 0] = thing & 255, (thing >> 8) & 255
    return out


def depth_picture(distance: np.ndarray) -> np.ndarray:
    """CARLA's depth picture: (red + 256 green + 65536 blue) / (256^3 - 1) of 1000 m; BGRA uint8."""
    steps = np.minimum(distance.astype(np.float64) / FAR, 1.0) * (256**3 - 1)
    steps = (steps + 0.5).astype(np.uint32)
    channels = [(steps >> 16) & 255, (steps >> 8) & 255, steps & 255, np.full_like(steps, 255)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def smear(radiance: np.ndarray) -> np.ndarray:
    """What rough wet ground mirrors: the image drawn out up and down, a little sideways."""
    height, width = radiance.shape[:2]
    tall, wide = max(3, height // 9) | 1, max(1, width // 120) | 1
    return cv2.blur(cv2.blur(radiance, (wide, tall)), (wide, max(3, height // 18) | 1))
