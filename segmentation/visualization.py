"""Images for people: colours over an image, and panels that show image, truth and prediction side by side."""

from collections.abc import Sequence

import cv2
import numpy as np

from segmentation.labels.label_table import LabelTable
from segmentation.types import UInt8Array

MARGIN = 8  # pixels around and between tiles
CAPTION_HEIGHT = 26  # of the line above a tile, pixels
SWATCH, LEGEND_LINE = 14, 24  # side of a legend's colour square and height of its lines, pixels
BACKGROUND, TEXT_COLOUR = (250, 250, 250), (40, 40, 40)
FONT = cv2.FONT_HERSHEY_DUPLEX


def overlay(image: UInt8Array, colours: UInt8Array, opacity: float = 0.5) -> UInt8Array:
    """Blend colours (height, width, 3) over an image of the same size."""
    return cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)


def draw_panel(tiles: dict[str, UInt8Array], label_table: LabelTable) -> UInt8Array:
    """Draw captioned RGB tiles of one size in a row, above a legend of the classes; return an RGB image."""
    row = cv2.hconcat([_draw_tile(caption, tile) for caption, tile in tiles.items()])
    row = cv2.copyMakeBorder(row, 0, 0, 0, MARGIN, cv2.BORDER_CONSTANT, value=BACKGROUND)
    return cv2.vconcat([row, _draw_legend(label_table.class_names, label_table.class_colours, row.shape[1])])


def _draw_tile(caption: str, tile: UInt8Array) -> UInt8Array:
    framed = cv2.copyMakeBorder(tile, CAPTION_HEIGHT, 0, MARGIN, 0, cv2.BORDER_CONSTANT, value=BACKGROUND)
    return cv2.putText(framed, caption, (MARGIN, CAPTION_HEIGHT - 8), FONT, 0.5, TEXT_COLOUR, 1, cv2.LINE_AA)


def _draw_legend(class_names: Sequence[str], colours: UInt8Array, width: int) -> UInt8Array:
    """Draw a colour square and a name for every class, in as many lines as the width requires."""
    positions = []
    x, line = MARGIN, 0
    for name in class_names:
        length = SWATCH + 8 + cv2.getTextSize(name, FONT, 0.45, 1)[0][0] + 18
        if x + length > width and x > MARGIN:
            x, line = MARGIN, line + 1
        positions.append((x, line))
        x += length
    legend = np.full(((line + 1) * LEGEND_LINE + MARGIN, width, 3), BACKGROUND, np.uint8)
    for name, colour, (x, line) in zip(class_names, colours.tolist(), positions, strict=True):
        top = line * LEGEND_LINE + MARGIN
        cv2.rectangle(legend, (x, top), (x + SWATCH, top + SWATCH), colour, cv2.FILLED)
        cv2.putText(legend, name, (x + SWATCH + 8, top + 12), FONT, 0.45, TEXT_COLOUR, 1, cv2.LINE_AA)
    return legend
