"""Say which colours of a label file are not in the label table, and what probably happened to them."""

import numpy as np
import numpy.typing as npt

from segmentation.labels.label_table import LabelTable, colour_codes
from segmentation.types import UInt8Array

# Measured on labels of `dataset_test/` in colours. JPEG of quality 75 to 95 leaves a third of the pixels exact at most,
# and 80 % of the others within 16 steps of a colour of the table. Resizing with smoothing leaves three quarters exact,
# and none of the hundred to two thousand mixed colours takes more than 1 % of the pixels.
NOISE_STEPS = 16
NOISE_SHARE = 0.75
MANY_COLOURS = 20
RARE_SHARE = 0.05

SHOWN = 3  # colours named in a message
EXAMINED = 1000  # the most frequent unknown colours; a photo has tens of thousands


def count_colours(pixels: UInt8Array) -> tuple[UInt8Array, npt.NDArray[np.intp]]:
    """Return the distinct colours (n, 3) of RGB pixels (height, width, 3), and how often each occurs."""
    codes, counts = np.unique(colour_codes(pixels), return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8), counts


def describe_unknown_colours(colours: UInt8Array, counts: npt.NDArray[np.intp], label_table: LabelTable) -> str:
    """Return a sentence, without its full stop, about distinct colours (n, 3) that occur `counts` times.

    It names the most frequent of those that the table does not know, their share of the pixels, the nearest ones of the
    table, and the likely cause with its cure.
    """
    order = np.argsort(-counts, kind="stable")
    colours, shares = colours[order], counts[order] / counts.sum()
    known = _are_known(colours, label_table)
    unknown, unknown_shares = colours[~known], shares[~known]
    examples = ", ".join(
        f"{_format(colour)} ({share:.1%}{_nearest(colour, label_table)})"
        for colour, share in zip(unknown[:SHOWN], unknown_shares, strict=False)
    )
    more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
    return (
        f"{unknown_shares.sum():.1%} of its pixels have colours that are not in labels.csv, {examples}{more}; "
        f"{_cause(colours, shares, known, label_table)}"
    )


def _cause(
    colours: UInt8Array, shares: npt.NDArray[np.float64], known: npt.NDArray[np.bool_], label_table: LabelTable
) -> str:
    if _are_known(colours[:, ::-1], label_table).all():
        return "with red and blue swapped it has all of them, so save it in the order red, green, blue"
    if not colours[:, :2].any() and np.isin(colours[:, 2], label_table.ids).all():
        return "its blue channel holds ids of labels.csv, so save it in the order red, green, blue"
    if colours[:, 0].any() and np.isin(colours[:, 0], label_table.ids).all():
        return "its red channel holds ids of labels.csv, so if the others hold instances save only the red one"
    unknown, unknown_shares = colours[~known], shares[~known]
    if len(unknown) >= MANY_COLOURS and unknown_shares[0] < RARE_SHARE and shares[known].sum() > 0.5:
        return "they are mixtures at edges, so export it without anti-aliasing and resize it without smoothing"
    examined, examined_shares = unknown[:EXAMINED], unknown_shares[:EXAMINED]
    near = _distances(examined, label_table).min(axis=1, initial=255) <= NOISE_STEPS
    if len(unknown) >= MANY_COLOURS and examined_shares[near].sum() > NOISE_SHARE * examined_shares.sum():
        return "they are a little off, as JPEG leaves them, so export it again as PNG"
    return "add them to labels.csv, or copy the table that fits"


def _table_colours(label_table: LabelTable) -> UInt8Array:
    return np.array([colour for label in label_table.rows for colour in label.colours], np.uint8).reshape(-1, 3)


def _are_known(colours: UInt8Array, label_table: LabelTable) -> npt.NDArray[np.bool_]:
    return np.isin(colour_codes(colours), colour_codes(_table_colours(label_table)))


def _distances(colours: UInt8Array, label_table: LabelTable) -> npt.NDArray[np.intp]:
    """Return how far colours are from those of the table, (n, table colours): the largest difference of a channel."""
    table = _table_colours(label_table).astype(int)
    return np.abs(colours.astype(int)[:, None] - table).max(axis=2)


def _nearest(colour: UInt8Array, label_table: LabelTable) -> str:
    distances = _distances(colour[None], label_table)[0]
    if not len(distances):
        return ""
    names = [label.name for label in label_table.rows for _ in label.colours]
    nearest = int(distances.argmin())
    return f", nearest is {names[nearest]} {_format(_table_colours(label_table)[nearest])}"


def _format(colour: UInt8Array) -> str:
    return ",".join(map(str, colour.tolist()))
