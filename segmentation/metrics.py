"""Confusion matrices and the metrics computed from them. Void pixels count nowhere."""

import numpy as np
import numpy.typing as npt

from segmentation.labels.label_table import VOID
from segmentation.types import UInt8Array

ConfusionMatrix = npt.NDArray[np.int64]


def confusion_matrix(truth: UInt8Array, prediction: UInt8Array, num_classes: int) -> ConfusionMatrix:
    """Count the pixels of true class `row` predicted as class `column`, (num_classes, num_classes).

    `truth` and `prediction` are masks of one shape; pixels whose truth is `VOID` are left out.
    """
    counted = truth != VOID
    pairs = truth[counted].astype(np.int64) * num_classes + prediction[counted]
    return np.bincount(pairs, minlength=num_classes * num_classes).reshape(num_classes, num_classes)


def class_iou(confusion: ConfusionMatrix) -> npt.NDArray[np.float64]:
    """Return intersection over union by class, (num_classes,); NaN for a class in neither truth nor prediction."""
    intersection = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, intersection / union, np.nan)


def mean_iou(confusion: ConfusionMatrix, counted: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the mean over the classes that occur in truth or prediction; NaN if none does.

    `counted` (num_classes,) leaves classes out. Intersections and unions are summed over the whole set before division,
    as in published results (SimJeg/FC-DenseNet, metrics.py); a mean over images is a different quantity.
    """
    iou = class_iou(confusion)
    if counted is not None:
        iou = np.where(counted, iou, np.nan)
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")


def pixel_accuracy(confusion: ConfusionMatrix) -> float:
    """Return the share of the pixels that are right; NaN without pixels."""
    total = int(confusion.sum())
    return int(np.trace(confusion)) / total if total else float("nan")
