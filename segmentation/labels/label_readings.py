"""Decide what the values of a label file mean: ids, or the colours of ids.

A tool that keeps every pixel may still change how they are stored: the order of a palette, grey instead of red, green
and blue, fewer bits. So the colours of the pixels decide. The indices of a palette are ids only where the palette shows
that they are meant: it has the table's colours or PASCAL VOC's, each at its own index.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from segmentation.errors import UserError
from segmentation.labels.id_counts import IdCounts, count_ids
from segmentation.labels.label_table import LabelTable
from segmentation.types import UInt8Array

Encoding = Literal["ids", "colours", "indices"]
"""How labels are stored: as ids, in colours of the label table, or as indices of a palette, taken literally."""


@dataclass(frozen=True)
class Reading:
    """The ids that the values of a file, in ascending order, would mean if they are encoded in this way."""

    encoding: Encoding
    ids: UInt8Array


@dataclass(frozen=True)
class IndexedPixels:
    """Values (height, width) as they are stored, and the RGB colour of every possible value, (n, 3)."""

    values: UInt8Array
    colours: UInt8Array
    is_palette: bool = False

    @cached_property
    def counts(self) -> IdCounts:
        """How many pixels have each value, (256,)."""
        return count_ids(self.values)

    @cached_property
    def used(self) -> UInt8Array:
        """The values that occur, in ascending order."""
        return np.flatnonzero(self.counts).astype(np.uint8)

    @cached_property
    def used_colours(self) -> UInt8Array:
        """Their colours."""
        return self.colours[self.used]

    @cached_property
    def is_grey(self) -> bool:
        """Whether every pixel is grey."""
        return bool((self.used_colours == self.used_colours[:, :1]).all())


def choose_ids(
    path: Path, pixels: IndexedPixels, label_table: LabelTable, encoding: Encoding | None
) -> UInt8Array | None:
    """Return the ids (height, width) that indexed pixels mean, or None if their colours mean nothing.

    Readings whose ids are all in the table go first; if they differ, `encoding` decides. Raise `UserError` if that does
    not help.
    """
    if encoding == "indices":
        return pixels.values
    readings = list(_readings(pixels, label_table))
    known = [reading for reading in readings if np.isin(reading.ids, label_table.ids).all()]
    if not known:
        # Grey values are ids even where the table does not know them; other colours are so only where ids may be.
        are_ids = readings and (pixels.is_grey or encoding != "colours")
        return _look_up(pixels, readings[0]) if are_ids else None
    for group in (known, [reading for reading in known if reading.encoding == encoding]):
        if group and all(np.array_equal(reading.ids, group[0].ids) for reading in group):
            return _look_up(pixels, group[0])
    masks = [label_table.ids_to_mask(reading.ids) for reading in known]
    if pixels.is_palette and all(np.array_equal(mask, masks[0]) for mask in masks):
        return _look_up(pixels, known[0])  # colours cannot tell apart ids that share one, which have one class
    raise UserError(
        f"{path}: its pixels may mean {' or '.join(dict.fromkeys(map(_describe, known)))}; save ids as an 8-bit grey "
        'PNG, or say what they are by a line encoding = "ids", "colours" or "indices" in layout.toml'
    )


def voc_colormap() -> UInt8Array:
    """Return the 256 RGB colours of PASCAL VOC's labels, (256, 3).

    Bits 0, 3 and 6 of an index are bits 7, 6 and 5 of its red, the next ones of its green and blue:
    `VOCcode/VOClabelcolormap.m` of the development kit of VOC 2012.
    """
    index = np.arange(256)[:, None]
    channel = np.arange(3)
    colours = sum((index >> (3 * level + channel) & 1) << (7 - level) for level in range(3))
    return np.asarray(colours, np.uint8)


def _readings(pixels: IndexedPixels, label_table: LabelTable) -> Iterator[Reading]:
    """Yield what the values may mean, the most literal reading first."""
    colours = pixels.used_colours
    if not pixels.is_palette or _is_palette_of_ids(pixels, label_table):
        yield Reading("ids", pixels.used)
    if pixels.is_grey or not colours[:, 1:].any():
        yield Reading("ids", colours[:, 0])
    ids = _ids_of_colours(colours, label_table)
    if ids is not None:
        yield Reading("colours", ids)


def _is_palette_of_ids(pixels: IndexedPixels, label_table: LabelTable) -> bool:
    """Return whether a palette holds the table's colour of every index that is used, or begins like VOC's colormap.

    An optimizer may arrange two colours in VOC's order by accident, but not three that are all grey or all red.
    """
    first = max(int(pixels.used[-1]) + 1, 3)
    if np.array_equal(pixels.colours[:first], voc_colormap()[:first]):
        return True
    colours_of = {label.id: label.colours for label in label_table.rows}
    used = zip(pixels.used.tolist(), map(tuple, pixels.used_colours.tolist()), strict=True)
    return all(colour in colours_of.get(index, ()) for index, colour in used)


def _ids_of_colours(colours: UInt8Array, label_table: LabelTable) -> UInt8Array | None:
    """Return the ids that have these colours in the table, or None if it does not know all, or cannot tell."""
    if not label_table.rows:
        return None
    try:
        ids, known = label_table.ids_from_colours(colours)
    except UserError:  # classes share a colour, which does no harm to files of ids
        return None
    return ids if known.all() else None


def _look_up(pixels: IndexedPixels, reading: Reading) -> UInt8Array:
    if np.array_equal(reading.ids, pixels.used):
        return pixels.values
    id_of_value = np.zeros(256, np.uint8)
    id_of_value[pixels.used] = reading.ids
    return id_of_value[pixels.values]


def _describe(reading: Reading) -> str:
    source = ", by the colours of labels.csv" if reading.encoding == "colours" else ""
    return f"ids {_shorten(reading.ids.tolist())}{source}"


def _shorten(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")
