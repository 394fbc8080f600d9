"""Segment images of any size with a trained network, read their ground truth, and write the results."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segmentation.checkpoint import TrainedModel
from segmentation.dataset.layout import COLOURED_IDS, IDS, png_path
from segmentation.dataset.samples import Dataset, Sample
from segmentation.errors import UserError
from segmentation.images import resize_image, write_png
from segmentation.labels import VOID, LabelTable
from segmentation.types import UInt8Array
from segmentation.visualization import draw_panel, overlay

PANEL = "panel"  # folder of the panels, and the prefix of the files in it


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
    are enlarged before the best class is chosen, which keeps borders smooth.
    """
    height, width = image.shape[:2]
    network_input = resize_image(image, trained.size)
    logits = np.asarray(trained.network.predict_on_batch(network_input[None])[0], np.float32)
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


class GroundTruth:
    """Reads the labels of a dataset as masks of a model's classes.

    The dataset's own `labels.csv` may have other ids than the model's label table: classes are matched by name, and
    those that the model does not know become void. `problems` names them.
    """

    def __init__(self, dataset: Dataset, model_table: LabelTable) -> None:
        self._table = dataset.read_label_table() if dataset.label_table.exists() else model_table
        self._class_of_id = np.full(256, VOID, np.uint8)
        for row in self._table.rows:
            if row.class_name in model_table.class_names:
                self._class_of_id[row.id] = model_table.class_names.index(row.class_name)
        unknown = [name for name in self._table.class_names if name not in model_table.class_names]
        self.problems = (
            [f"{dataset.label_table}: the model has no class {', '.join(unknown)}; counted as void"] if unknown else []
        )

    def read(self, sample: Sample, image: UInt8Array) -> UInt8Array | None:
        """Return the mask of a sample, None without labels. Raise `UserError` if it cannot be used for `image`."""
        if sample.label is None:
            return None
        truth = self._class_of_id[sample.read_ids(self._table)]
        if truth.shape != image.shape[:2]:
            raise UserError(f"{sample.label}: does not have the size of its image; record both at one size")
        return truth


def write_result(result: Result, folder: Path, label_table: LabelTable) -> None:
    """Write the colourised prediction, its ids, and a panel of everything."""
    tiles = {"image": result.image}
    if result.truth is not None:
        tiles["truth"] = label_table.colourise_mask(result.truth)
    tiles["prediction"] = label_table.colourise_mask(result.prediction)
    tiles["prediction, filtered"] = label_table.colourise_mask(result.filtered)
    tiles["overlay"] = overlay(result.image, tiles["prediction, filtered"])
    write_png(png_path(folder, COLOURED_IDS, result.name), tiles["prediction"])
    write_png(png_path(folder, IDS, result.name), label_table.mask_to_ids(result.prediction))
    write_png(png_path(folder, PANEL, result.name), draw_panel(tiles, label_table))
