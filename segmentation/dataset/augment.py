"""Change picture and labels together, so that a small dataset shows the network more streets than it has."""

import cv2
import numpy as np

from segmentation.labels import VOID, Bytes

SCALES = (0.75, 1.5)  # zoom of the picture around a random place
BRIGHTNESS = 0.25  # greatest change, as a share of full white
CONTRAST = 0.25  # greatest change, as a share
SATURATION = 0.4  # greatest change, as a share
NEW_PIXELS = (128, 128, 128)  # what a picture shrunk below its size is framed by; its labels are void


def augment(picture: Bytes, classes: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Mirror, zoom, shift and recolour a picture (height, width, 3) and its classes (height, width) alike.

    Both keep their size. Classes are never blended: every output index is one of the input or `VOID`.
    """
    picture, classes = _move(picture, classes, random)
    return _recolour(picture, random), classes


def random_window(
    picture: Bytes, classes: Bytes, size: tuple[int, int], random: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """The same window of a picture and its classes, `size` (width, height) or what there is where that is less."""
    height, width = (min(wanted, there) for wanted, there in zip(reversed(size), classes.shape, strict=True))
    top, left = (random.integers(there - kept + 1) for there, kept in zip(classes.shape, (height, width), strict=True))
    window = slice(top, top + height), slice(left, left + width)
    return picture[window], classes[window]


def _move(picture: Bytes, classes: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    height, width = classes.shape
    zoom = np.exp(random.uniform(*np.log(SCALES)))
    mirror = -1 if random.random() < 0.5 else 1
    # Where the zoomed picture overhangs the frame, any part of it; where it falls short, any place in it.
    left = random.uniform(0, 1) * (width - 1) * (1 - zoom)
    top = random.uniform(0, 1) * (height - 1) * (1 - zoom)
    if mirror < 0:
        left = width - 1 - left
    matrix = np.array([[mirror * zoom, 0, left], [0, zoom, top]])
    moved_picture = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=NEW_PIXELS)
    moved_classes = cv2.warpAffine(classes, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=VOID)
    return moved_picture, moved_classes


def _recolour(picture: Bytes, random: np.random.Generator) -> Bytes:
    contrast = 1 + random.uniform(-CONTRAST, CONTRAST)
    saturation = 1 + random.uniform(-SATURATION, SATURATION)
    brightness = 255 * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    # One 3x3 matrix does both: contrast scales everything, saturation the distance from grey.
    grey = np.full((3, 3), 1 / 3)
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = brightness + 128 * (1 - contrast)
    return cv2.transform(picture, np.hstack([matrix, np.full((3, 1), offset)]))
