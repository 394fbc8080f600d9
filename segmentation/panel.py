"""A panel that sets side by side what a network saw, what is true, and what it said."""

from collections.abc import Sequence

import cv2
import numpy as np

from segmentation.labels import Bytes, LabelTable

MARGIN = 8  # pixels around and between tiles
CAPTION = 26  # height of the line above a tile, pixels
PAPER, INK = (250, 250, 250), (40, 40, 40)
FONT = cv2.FONT_HERSHEY_DUPLEX


def overlay(picture: Bytes, colours: Bytes, opacity: float = 0.5) -> Bytes:
    """Colours (height, width, 3) laid over a picture of the same size."""
    return cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)


def draw_panel(tiles: dict[str, Bytes], labels: LabelTable) -> Bytes:
    """Captioned RGB tiles of one size in a row, above a legend of the classes; an RGB picture."""
    row = cv2.hconcat([_tile(caption, tile) for caption, tile in tiles.items()])
    row = cv2.copyMakeBorder(row, 0, 0, 0, MARGIN, cv2.BORDER_CONSTANT, value=PAPER)
    return cv2.vconcat([row, _legend(labels.classes, labels.class_colours, row.shape[1])])


def _tile(caption: str, tile: Bytes) -> Bytes:
    framed = cv2.copyMakeBorder(tile, CAPTION, 0, MARGIN, 0, cv2.BORDER_CONSTANT, value=PAPER)
    return cv2.putText(framed, caption, (MARGIN, CAPTION - 8), FONT, 0.5, INK, 1, cv2.LINE_AA)


def _legend(classes: Sequence[str], colours: Bytes, width: int) -> Bytes:
    """A swatch and a name for every class, in as many lines as the width needs."""
    places = []
    x, line = MARGIN, 0
    for name in classes:
        length = 22 + cv2.getTextSize(name, FONT, 0.45, 1)[0][0] + 18
        if x + length > width and x > MARGIN:
            x, line = MARGIN, line + 1
        places.append((x, line))
        x += length
    legend = np.full(((line + 1) * 24 + MARGIN, width, 3), PAPER, np.uint8)
    for name, colour, (x, line) in zip(classes, colours.tolist(), places, strict=True):
        top = line * 24 + MARGIN
        cv2.rectangle(legend, (x, top), (x + 14, top + 14), colour, cv2.FILLED)
        cv2.putText(legend, name, (x + 22, top + 12), FONT, 0.45, INK, 1, cv2.LINE_AA)
    return legend
