"""Compositing: resolve the samples of each pixel to radiance, label ids, depth and instances, and encode the images."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from simulator.drawing.atmosphere import Light
from simulator.drawing.mesh import SKY
from simulator.drawing.raster import JIT, NO_TRIANGLE, Projected, View
from simulator.drawing.shading import Scene, pixel_ray, shade
from simulator.drawing.sky import sky_radiance

MAX_DEPTH = 1000.0  # metres; CARLA's depth image is white there and beyond
SHADED = NO_TRIANGLE - 1  # marks the samples of a pixel that are done
MAX_RADIANCE = 12.0  # clamps each sample, so that one lamp does not outweigh a pixel's other samples


@njit(**JIT)
def resolve_radiance(
    nearest: np.ndarray,
    samples: int,
    projected: Projected,
    scene: Scene,
    view: View,
    light: Light,
    radiance: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fill rows row0 to row1 (excluded) of radiance (height, width, 3) float32.

    nearest: see `raster.rasterise`. samples: per pixel side. Every triangle in a pixel is shaded once, at the centre of
    the samples in which it is visible.
    """
    entries = np.empty(samples * samples, np.int32)
    step, weight = 1.0 / samples, 1.0 / (samples * samples)
    for row in range(row0, row1):
        for column in range(radiance.shape[1]):
            for i in range(samples):
                for j in range(samples):
                    entries[i * samples + j] = nearest[row * samples + i, column * samples + j]
            red, green, blue = 0.0, 0.0, 0.0
            for first in range(samples * samples):
                entry = entries[first]
                if entry == SHADED:
                    continue
                x, y, count = 0.0, 0.0, 0
                for k in range(first, samples * samples):
                    if entries[k] == entry:
                        x += column + (k % samples + 0.5) * step
                        y += row + (k // samples + 0.5) * step
                        count += 1
                        entries[k] = SHADED
                x, y = x / count, y / count
                if entry == NO_TRIANGLE:
                    r, g, b = sky_at_pixel(x, y, view, scene, light)
                else:
                    r, g, b = shade(projected.triangle[entry], projected.edges[entry], x, y, scene, view, light)
                part = weight * count
                red += part * min(r, MAX_RADIANCE)
                green += part * min(g, MAX_RADIANCE)
                blue += part * min(b, MAX_RADIANCE)
            radiance[row, column, 0], radiance[row, column, 1], radiance[row, column, 2] = red, green, blue


@njit(**JIT)
def sky_at_pixel(x: float, y: float, view: View, scene: Scene, light: Light) -> tuple:
    """Return the radiance of the sky behind a pixel position."""
    dx, dy, dz = pixel_ray(x, y, view)
    scale = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
    return sky_radiance(dx * scale, dy * scale, dz * scale, light, scene.textures.clouds)


@njit(**JIT)
def resolve_labels(
    nearest: np.ndarray,
    depth: np.ndarray,
    projected: Projected,
    triangle_labels: np.ndarray,
    depth_factors: np.ndarray,
    triangle_objects: np.ndarray,
    ids: np.ndarray,
    distance: np.ndarray,
    instances: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fill rows row0 to row1 (excluded) of ids uint8, distance float32 (metres) and instances int32, (height, width).

    nearest, depth: of 2 x 2 samples per pixel, see `raster.rasterise`. triangle_labels, depth_factors and
    triangle_objects: fields of `mesh.Triangles`.
    A pixel's id is the most frequent one among its samples, the nearer one on a tie. Its distance (along the viewing
    direction) and instance are those of the nearest sample with that id.
    """
    sample_ids, inverse_depth, entries = np.empty(4, np.int64), np.empty(4), np.empty(4, np.int64)
    for row in range(row0, row1):
        for column in range(ids.shape[1]):
            for k in range(4):
                r, c = row * 2 + k // 2, column * 2 + k % 2
                entry = nearest[r, c]
                entries[k] = entry
                sample_ids[k] = SKY if entry == NO_TRIANGLE else triangle_labels[projected.triangle[entry]]
                inverse_depth[k] = (
                    1.0 / MAX_DEPTH if entry == NO_TRIANGLE else depth[r, c] / depth_factors[projected.triangle[entry]]
                )
            best, best_score = 0, -1.0
            for k in range(4):
                score = min(inverse_depth[k], 1e3) * 1e-4
                for j in range(4):
                    if sample_ids[j] == sample_ids[k]:
                        score += 1.0
                if score > best_score:
                    best, best_score = k, score
            ids[row, column] = sample_ids[best]
            distance[row, column] = min(1.0 / inverse_depth[best], MAX_DEPTH)
            entry = entries[best]
            instances[row, column] = 0 if entry == NO_TRIANGLE else triangle_objects[projected.triangle[entry]]


@njit(**JIT)
def tone_map(
    radiance: np.ndarray,
    bloom: np.ndarray,
    rain: np.ndarray,
    light: Light,
    out: np.ndarray,
    row0: int,
    row1: int,
) -> None:
    """Fill rows row0 to row1 (excluded) of out (height, width, 4) BGRA uint8 from radiance, bloom and rain.

    bloom (height, width, 3) and rain (height, width) uint8 may be empty. The tone curve is Narkowicz's
    approximation of the ACES filmic curve (2015).
    """
    has_bloom = bloom.shape[0] > 0
    for row in range(row0, row1):
        for column in range(radiance.shape[1]):
            streak = 0.0
            if rain.shape[0] > 0:
                streak = rain[row, column] * (0.16 / 255.0)
            for c in range(3):
                value = radiance[row, column, c]
                if has_bloom:
                    value += bloom[row, column, c]
                value = value + streak * (light.horizon[c] * 1.25 + 0.25 * light.ambient[c] - value * 0.6)
                value = max(value * light.exposure, 0.0)
                value = value * (2.51 * value + 0.03) / (value * (2.43 * value + 0.59) + 0.14)
                out[row, column, 2 - c] = np.uint8(np.sqrt(min(value, 1.0)) * 255.0 + 0.5)
            out[row, column, 3] = 255


def compute_bloom(radiance: np.ndarray, light: Light) -> np.ndarray:
    """Return the halo (height, width, 3) around overexposed areas; empty by day."""
    if light.night < 0.3:
        return np.empty((0, 0, 3), np.float32)
    height, width = radiance.shape[:2]
    small = cv2.resize(radiance, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    bright = np.minimum(np.maximum(small - 0.9 / light.exposure, 0.0), 3.0)
    spread = 0.55 * cv2.GaussianBlur(bright, (0, 0), width / 400 + 0.4)
    spread += 0.55 * cv2.GaussianBlur(bright, (0, 0), width / 80 + 1.0)
    return cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)


def rain_streaks(width: int, height: int, light: Light) -> np.ndarray:
    """Return falling drops (height, width) uint8, placed at random with the time as seed; empty without rain."""
    if light.rain < 0.05:
        return np.empty((0, 0), np.uint8)
    rng = np.random.default_rng(int(light.time * 1000) & 0xFFFFFFFF)
    streaks = np.zeros((height, width), np.uint8)
    count = int(900 * light.rain)
    start = rng.random((count, 2)) * [width * 1.1, height * 1.2] - [width * 0.05, height * 0.1]
    lengths = height * (0.03 + 0.09 * rng.random(count) ** 2)
    for (x, y), length, bright in zip(start, lengths, rng.integers(60, 255, count), strict=True):
        end = (int(x + length * 0.12), int(y + length))
        cv2.line(streaks, (int(x), int(y)), end, int(bright), 1, cv2.LINE_AA)
    return streaks


def label_image(ids: np.ndarray) -> np.ndarray:
    """Encode ids as CARLA's semantic segmentation image: the id in red; BGRA uint8."""
    out = np.zeros((*ids.shape, 4), np.uint8)
    out[..., 2], out[..., 3] = ids, 255
    return out


def instance_image(ids: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Encode CARLA's instance segmentation image: the id in red, the instance in green (low byte) and blue."""
    out = label_image(ids)
    out[..., 1], out[..., 0] = instances & 255, (instances >> 8) & 255
    return out


def depth_image(distance: np.ndarray) -> np.ndarray:
    """Encode distance (metres) as CARLA's depth image, BGRA uint8.

    CARLA decodes it as (red + 256 green + 65536 blue) / (256^3 - 1) * 1000 m.
    """
    steps = np.minimum(distance.astype(np.float64) / MAX_DEPTH, 1.0) * (256**3 - 1)
    steps = (steps + 0.5).astype(np.uint32)
    channels = [(steps >> 16) & 255, (steps >> 8) & 255, steps & 255, np.full_like(steps, 255)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def blur_reflection(radiance: np.ndarray) -> np.ndarray:
    """Blur a mirror image as rough wet ground does: strongly along columns, slightly along rows."""
    height, width = radiance.shape[:2]
    tall, wide = max(3, height // 9) | 1, max(1, width // 120) | 1  # kernel sizes must be odd
    return cv2.blur(cv2.blur(radiance, (wide, tall)), (wide, max(3, height // 18) | 1))
