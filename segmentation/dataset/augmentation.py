"""Change an image and its mask together, so that a small dataset shows the network more variety."""

import cv2
import numpy as np

from segmentation.types import Size, UInt8Array

MAX_ZOOM = 1.5  # never below 1, which would put a frame around the image and make thin things vanish
MAX_BRIGHTNESS_CHANGE = 0.25  # as a share of full white
MAX_CONTRAST_CHANGE = 0.25  # as a share
MAX_SATURATION_CHANGE = 0.4  # as a share


def zoom_and_mirror(image: UInt8Array, mask: UInt8Array, rng: np.random.Generator) -> tuple[UInt8Array, UInt8Array]:
    """Return a random part of an image (height, width, 3) and its mask (height, width), mirrored half of the time.

    The part has the proportions of the image and 1 / `MAX_ZOOM` to all of its height.
    """
    zoom = np.exp(rng.uniform(0, np.log(MAX_ZOOM)))
    height, width = (round(pixels / zoom) for pixels in mask.shape)
    image, mask = random_crop(image, mask, (width, height), rng)
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def random_crop(
    image: UInt8Array, mask: UInt8Array, size: Size, rng: np.random.Generator
) -> tuple[UInt8Array, UInt8Array]:
    """Return the same random window of an image and its mask, of `size` or, if they are smaller, of their size."""
    height, width = (min(wanted, available) for wanted, available in zip(reversed(size), mask.shape, strict=True))
    top, left = (
        rng.integers(available - kept + 1) for available, kept in zip(mask.shape, (height, width), strict=True)
    )
    window = slice(top, top + height), slice(left, left + width)
    return image[window], mask[window]


def jitter_colour(image: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Return an image (height, width, 3) with random brightness, contrast and saturation."""
    contrast = 1 + rng.uniform(-MAX_CONTRAST_CHANGE, MAX_CONTRAST_CHANGE)
    saturation = 1 + rng.uniform(-MAX_SATURATION_CHANGE, MAX_SATURATION_CHANGE)
    brightness = 255 * rng.uniform(-MAX_BRIGHTNESS_CHANGE, MAX_BRIGHTNESS_CHANGE)
    # One 3x3 matrix does both: contrast scales everything, saturation the distance from grey.
    grey = np.full((3, 3), 1 / 3)
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = brightness + 128 * (1 - contrast)
    return cv2.transform(image, np.hstack([matrix, np.full((3, 1), offset)]))
