"""Confusion matrices and what follows from them. Void pixels count nowhere."""

import numpy as np
import numpy.typing as npt

from segmentation.labels import VOID, Bytes

Counts = npt.NDArray[np.int64]


def confusion_matrix(truth: Bytes, prediction: Bytes, classes: int) -> Counts:
    """Pixels of true class `row` predicted as class `column`, (classes, classes).

    `truth` and `prediction` are class indices of one shape; pixels whose truth is `VOID` are left out.
    """
    counted = truth != VOID
    pairs = truth[counted].astype(np.int64) * classes + prediction[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_iou(confusion: Counts) -> npt.NDArray[np.float64]:
    """Intersection over union of every class, (classes,); NaN for a class that is in neither truth nor prediction."""
    intersection = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, intersection / union, np.nan)


def mean_iou(confusion: Counts) -> float:
    """Mean over the classes that occur in truth or prediction; NaN when none does.

    Intersections and unions are summed over the whole set before they are divided, as in the published
    figures (SimJeg/FC-DenseNet metrics.py); a mean over pictures would be another quantity.
    """
    iou = class_iou(confusion)
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")


def pixel_accuracy(confusion: Counts) -> float:
    """Share of the pixels that are right; NaN without pixels."""
    total = confusion.sum()
    return float(np.diag(confusion).sum() / total) if total else float("nan")
