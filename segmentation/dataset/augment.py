"""Change picture and labels together, so that a small dataset shows the network more streets than it has."""

import cv2
import numpy as np

from segmentation.labels import Bytes

ZOOM = 1.5  # greatest; never below 1, which would put a frame around the picture and make thin things vanish
BRIGHTNESS = 0.25  # greatest change, as a share of full white
CONTRAST = 0.25  # greatest change, as a share
SATURATION = 0.4  # greatest change, as a share


def zoom_and_mirror(picture: Bytes, classes: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """A part of a picture (height, width, 3) and of its classes (height, width), mirrored every other time.

    The part has the picture's proportions, 1 / `ZOOM` to all of its height, and lies anywhere in it.
    """
    zoom = np.exp(random.uniform(0, np.log(ZOOM)))
    height, width = (round(pixels / zoom) for pixels in classes.shape)
    picture, classes = random_window(picture, classes, (width, height), random)
    if random.random() < 0.5:
        picture, classes = picture[:, ::-1], classes[:, ::-1]
    return np.ascontiguousarray(picture), np.ascontiguousarray(classes)


def random_window(
    picture: Bytes, classes: Bytes, size: tuple[int, int], random: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """The same window of a picture and its classes, `size` (width, height) or what there is where that is less."""
    height, width = (min(wanted, there) for wanted, there in zip(reversed(size), classes.shape, strict=True))
    top, left = (random.integers(there - kept + 1) for there, kept in zip(classes.shape, (height, width), strict=True))
    window = slice(top, top + height), slice(left, left + width)
    return picture[window], classes[window]


def recolour(picture: Bytes, random: np.random.Generator) -> Bytes:
    """A picture (height, width, 3) with other brightness, contrast and saturation."""
    contrast = 1 + random.uniform(-CONTRAST, CONTRAST)
    saturation = 1 + random.uniform(-SATURATION, SATURATION)
    brightness = 255 * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    # One 3x3 matrix does both: contrast scales everything, saturation the distance from grey.
    grey = np.full((3, 3), 1 / 3)
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = brightness + 128 * (1 - contrast)
    return cv2.transform(picture, np.hstack([matrix, np.full((3, 1), offset)]))
