"""Segment images of any size with a trained network, and write the results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segmentation.checkpoint import TrainedModel
from segmentation.dataset.layout import COLOURED_IDS, IDS, png_path
from segmentation.errors import UserError
from segmentation.files.atomic_write import remove_temporary_files
from segmentation.files.images import resize_image, write_png
from segmentation.files.lock import exclusive
from segmentation.labels.label_table import LabelTable
from segmentation.types import UInt8Array
from segmentation.visualization import draw_panel, overlay

PANEL = "panel"  # folder of the panels, and the prefix of the files in it
MAX_FILE_NAME = 255  # bytes, on every common file system


class NameTooLongError(UserError):
    """The results of one image cannot be written, but those of others can."""


@dataclass
class Result:
    """An RGB image (height, width, 3) and its masks (height, width); `truth` is None without labels."""

    name: str
    image: UInt8Array
    truth: UInt8Array | None
    prediction: UInt8Array
    filtered: UInt8Array


def segment(trained: TrainedModel, image: UInt8Array) -> UInt8Array:
    """Return the mask (height, width) of an RGB image (height, width, 3), at its own size.

    The network sees the image at the size that it was trained on, so that objects have the sizes it knows. Its logits
    are enlarged before the best class is chosen, which keeps borders smooth. Raise `UserError` if they are not finite.
    """
    height, width = image.shape[:2]
    network_input = resize_image(image, trained.size)
    logits = np.asarray(trained.network.predict_on_batch(network_input[None])[0], np.float32)
    if not np.isfinite(logits).all():
        raise UserError("the network computes NaN or infinity, so it is broken; train it again or name another model")
    # One class at a time: the enlarged logits of a large image would not fit into the memory of a small machine.
    best = np.full((height, width), -np.inf, np.float32)
    mask = np.zeros((height, width), np.uint8)
    for index in range(logits.shape[-1]):
        enlarged = cv2.resize(logits[..., index], (width, height))
        mask[enlarged > best] = index
        np.maximum(best, enlarged, out=best)
    return mask


def filter_majority(mask: UInt8Array, window: int) -> UInt8Array:
    """Return the most frequent class of the `window` x `window` pixels around each pixel, which removes specks.

    A median of class indices would produce classes that only happen to lie between two others. A window of 1 changes
    nothing.
    """
    best = np.full(mask.shape, -1, np.float32)
    filtered = mask.copy()
    for index in np.unique(mask):
        votes = cv2.blur((mask == index).astype(np.float32), (window, window))
        filtered[votes > best] = index
        best = np.maximum(best, votes)
    return filtered


@contextmanager
def lock_output(folder: Path) -> Iterator[None]:
    """Create the folder, keep other processes from writing results there, and remove what killed ones left.

    Raise `UserError` if the folder cannot be created, or while another process writes there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created ({error.strerror}); name another with --output") from None
    busy = f"{folder}: another 03_inference.py is writing there; wait for its end, or name another with --output"
    with exclusive(folder / ".lock", busy):
        remove_temporary_files(folder)
        yield


def write_result(result: Result, folder: Path, label_table: LabelTable) -> None:
    """Write the colourised prediction, its ids, and a panel of everything.

    Raise `NameTooLongError` before anything is written, or `UserError` if it cannot be written.
    """
    paths = {kind: png_path(folder, kind, result.name) for kind in (COLOURED_IDS, IDS, PANEL)}
    if any(len(os.fsencode(path.name)) > MAX_FILE_NAME for path in paths.values()):
        raise NameTooLongError(f"{result.name}: too long for the names of its results; give the image a shorter name")
    tiles = {"image": result.image}
    if result.truth is not None:
        tiles["truth"] = label_table.colourise_mask(result.truth)
    tiles["prediction"] = label_table.colourise_mask(result.prediction)
    tiles["prediction, filtered"] = label_table.colourise_mask(result.filtered)
    tiles["overlay"] = overlay(result.image, tiles["prediction, filtered"])
    write_png(paths[COLOURED_IDS], tiles["prediction"])
    write_png(paths[IDS], label_table.mask_to_ids(result.prediction))
    write_png(paths[PANEL], draw_panel(tiles, label_table))
