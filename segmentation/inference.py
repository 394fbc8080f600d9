"""Segment pictures of any size with a trained model."""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from segmentation.dataset.batches import resize_picture
from segmentation.dataset.folder import Dataset, Sample
from segmentation.errors import UserError
from segmentation.images import write_png
from segmentation.labels import VOID, Bytes, LabelTable, read_labels
from segmentation.metrics import Counts, confusion_matrix
from segmentation.model_file import TrainedModel
from segmentation.panel import draw_panel, overlay


def segment(trained: TrainedModel, picture: Bytes) -> Bytes:
    """Class index of every pixel (height, width) of an RGB picture (height, width, 3), at its own size.

    The network sees the picture at the size that it was trained on, so that things have the sizes it knows;
    its scores are enlarged before the best class is chosen, which keeps borders smooth.
    """
    height, width = picture.shape[:2]
    small = resize_picture(picture, trained.height, trained.width)
    scores = np.asarray(trained.network.predict_on_batch(small[None])[0], np.float32)
    # Class by class: all maps of a large photograph would not fit into a small machine's memory.
    best = np.full((height, width), -np.inf, np.float32)
    classes = np.zeros((height, width), np.uint8)
    for index in range(scores.shape[-1]):
        enlarged = cv2.resize(scores[..., index], (width, height))
        classes[enlarged > best] = index
        np.maximum(best, enlarged, out=best)
    return classes


def filter_median(classes: Bytes, window: int) -> Bytes:
    """Most frequent class of the `window` x `window` pixels around each; removes specks.

    For two classes this is the median filter; with more, a median of class numbers would invent classes
    that happen to be numbered between two others. A window of 1 changes nothing.
    """
    best = np.full(classes.shape, -1, np.float32)
    winners = classes.copy()
    for index in np.unique(classes):
        votes = cv2.blur((classes == index).astype(np.float32), (window, window))
        winners[votes > best] = index
        best = np.maximum(best, votes)
    return winners


def segment_folder(
    trained: TrainedModel, dataset: Dataset, output: Path, window: int
) -> tuple[dict[str, Counts], list[str]]:
    """Segment every picture and write `seg/`, `seg_raw/` and `panel/` below `output`.

    Returns the confusion matrices of the prediction and of the prediction filtered by `window` over all
    pictures that have labels, empty when none has; and what was wrong with files. A picture whose labels
    cannot be used is segmented without them.
    """
    table, to_model, strangers = match_labels(dataset, trained.labels)
    problems = [*dataset.problems, *strangers]
    confusions: dict[str, Counts] = {}
    for sample in tqdm(dataset.samples, desc="Segmenting", unit="picture", dynamic_ncols=True):
        try:
            picture = sample.read_picture()
        except UserError as error:
            problems.append(str(error))
            continue
        truth = None
        try:
            if sample.label:
                truth = read_truth(sample, table, to_model, picture.shape[:2])
        except UserError as error:
            problems.append(str(error))
        prediction = segment(trained, picture)
        filtered = filter_median(prediction, window)
        write_results(output, sample, picture, truth, prediction, filtered, trained.labels)
        if truth is not None:
            for name, result in (("IoU", prediction), ("IoU, filtered", filtered)):
                counts = confusion_matrix(truth, result, len(trained.labels.classes))
                confusions[name] = confusions.get(name, 0) + counts
    return confusions, problems


def match_labels(dataset: Dataset, labels: LabelTable) -> tuple[LabelTable, Bytes, list[str]]:
    """The table that the folder's labels are written in, the model's class for each of its ids (256,), and a
    problem when classes do not match.

    The folder's own `labels.csv` may be of another generation than the model's: classes are matched by name,
    and those that the model does not know are void.
    """
    path = dataset.folder / "labels.csv"
    table = read_labels(path) if path.exists() else labels
    to_model = np.full(256, VOID, np.uint8)
    for row in table.rows:
        if row.class_name in labels.classes:
            to_model[row.id] = labels.classes.index(row.class_name)
    strangers = [name for name in table.classes if name not in labels.classes]
    if not strangers:
        return table, to_model, []
    return table, to_model, [f"{path}: the model knows no class {', '.join(strangers)}; they count as void"]


def read_truth(sample: Sample, table: LabelTable, to_model: Bytes, size: tuple[int, ...]) -> Bytes:
    """True class indices (height, width) of the model; raises `UserError` when they do not fit the picture."""
    truth = to_model[sample.read_ids(table)]
    if truth.shape != size:
        raise UserError(f"{sample.label}: has not the size of its picture; record both at one size")
    return truth


def write_results(
    output: Path,
    sample: Sample,
    picture: Bytes,
    truth: Bytes | None,
    prediction: Bytes,
    filtered: Bytes,
    labels: LabelTable,
) -> None:
    """Write the colourised classes, the raw ids and the panel of one picture."""
    colours = labels.colourise_classes(prediction)
    tiles = {"picture": picture}
    if truth is not None:
        tiles["truth"] = labels.colourise_classes(truth)
    tiles["prediction"] = colours
    tiles["prediction, median-filtered"] = labels.colourise_classes(filtered)
    tiles["overlay"] = overlay(picture, tiles["prediction, median-filtered"])
    write_png(output / "seg" / f"seg_{sample.name}.png", colours)
    write_png(output / "seg_raw" / f"seg_raw_{sample.name}.png", labels.to_ids(prediction))
    write_png(output / "panel" / f"panel_{sample.name}.png", draw_panel(tiles, labels))
