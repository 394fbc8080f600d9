"""Count label ids, and name those that a label table does not know."""

import numpy as np
import numpy.typing as npt

from segmentation.labels.label_table import LabelTable
from segmentation.problems import list_some
from segmentation.types import UInt8Array

IdCounts = npt.NDArray[np.int64]  # (256,), pixels of every id
ALL_IDS = np.arange(256, dtype=np.uint8)
CHUNK = 1 << 20  # pixels counted at a time: NumPy widens what it counts to 8 bytes


def count_ids(ids: UInt8Array) -> IdCounts:
    """Return how many pixels have each id; any shape."""
    flat = ids.ravel()
    counts = np.zeros(256, np.int64)
    for start in range(0, flat.size, CHUNK):
        counts += np.bincount(flat[start : start + CHUNK], minlength=256)
    return counts


def count_classes(id_counts: IdCounts, class_of_id: UInt8Array) -> IdCounts:
    """Return how many pixels have each class index (256,), given the class index of every id (256,)."""
    pixels = np.zeros(256, np.int64)
    np.add.at(pixels, class_of_id, id_counts)
    return pixels


def count_unknown(id_counts: IdCounts, label_table: LabelTable) -> IdCounts:
    """Return the counts of the ids that are not in the table, and 0 for the others."""
    unknown = id_counts.copy()
    unknown[label_table.ids] = 0
    return unknown


def describe_ids(counted: IdCounts, id_counts: IdCounts) -> str:
    """Return the ids with a count and their share of all pixels, such as "ids 70, 128 (54.6% of the pixels)"."""
    return f"ids {list_some(np.flatnonzero(counted))} ({share(counted.sum(), id_counts.sum())} of the pixels)"


def share(part: int, whole: int) -> str:
    """Return a percentage that is "0%" and "100%" only where that is exact."""
    percentage = 100 * part / whole
    if percentage in (0, 100):
        return f"{percentage:.0f}%"
    return f"{min(percentage, 99.9):.1f}%" if percentage >= 0.1 else "under 0.1%"
