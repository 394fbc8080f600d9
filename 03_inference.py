"""Segment images with a trained network.

    python 03_inference.py                        dataset_test/ to dataset_out/
    python 03_inference.py --images my_photos     any folder of images

For every image it writes the classes in colour (seg/), as ids (seg_raw/), and a panel that shows image, ground truth
if there is any, prediction, filtered prediction and overlay. With ground truth it also prints the IoU of every class.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from segmentation.backend import load_keras
from segmentation.dataset.layout import is_dataset
from segmentation.dataset.samples import Sample, open_dataset
from segmentation.errors import UserError
from segmentation.flags import run
from segmentation.ground_truth import GroundTruth
from segmentation.metrics import ConfusionMatrix, confusion_matrix
from segmentation.model_files import newest_model
from segmentation.problems import collect, printable, shorten
from segmentation.report import print_iou

if TYPE_CHECKING:
    from segmentation.checkpoint import TrainedModel

MODEL: Path | None = None  # what 02_fc_densenet.py saved; None: the newest in models/
IMAGES = Path("dataset_test")  # folder of images, with or without labels, as in dataset/
OUTPUT = Path("dataset_out")  # created if missing; files of the same name are replaced
FILTER = 5  # width of the majority filter's window, pixels; 1: no filter


def main() -> None:
    """Read, segment, score and write every image; then print what the scores do not cover, and the scores."""
    check_constants()
    dataset = open_dataset(IMAGES)
    model_file = MODEL or newest_model(Path("models"))
    for line in shorten(dataset.notes):
        print(printable(line))
    load_keras()  # takes seconds, so it comes after flags and images are known to be right
    from segmentation.checkpoint import load_model
    from segmentation.inference import PANEL, lock_output

    model = load_model(model_file)
    ground_truth = GroundTruth(dataset, model.label_table)
    for line in ground_truth.notes:
        print(printable(line))
    with lock_output(OUTPUT):
        scores, failures = segment_images(dataset.samples, model, ground_truth)

    problems = [*dataset.problems, *failures, *ground_truth.problems()]
    for line in shorten(problems):
        print(printable(line))
    if scores:
        print_iou(scores, model.label_table.class_names, f"{model_file} on {IMAGES}", ground_truth.unlabelled)
    if ground_truth.num_labelled:
        print(ground_truth.coverage())
    print(printable(f"Model: {model_file}   results: {OUTPUT}   panels to look at: {OUTPUT / PANEL}"))
    if problems:
        done = f"{len(dataset.samples) - len(failures)} of {len(dataset.samples)} images"
        raise UserError(f"{done} are segmented; problems {len(problems)}, listed above")


def segment_images(
    samples: Sequence[Sample], model: "TrainedModel", ground_truth: GroundTruth
) -> tuple[dict[str, ConfusionMatrix], list[str]]:
    """Segment and write every image; return confusion matrices by name, and why images have no results."""
    from segmentation.inference import NameTooLongError, Result, filter_majority, segment, write_result

    scores: dict[str, ConfusionMatrix] = {}
    failures: list[str] = []
    for sample in tqdm(samples, desc="Segmenting", unit="image", dynamic_ncols=True):
        try:
            image, truth = ground_truth.read(sample)
        except UserError as error:  # the other images can still be segmented
            failures.append(str(error))
            continue

        prediction = segment(model, image)
        filtered = filter_majority(prediction, FILTER)
        if truth is not None:
            for name, mask in (("IoU", prediction), ("IoU, filtered", filtered)):
                matrix = confusion_matrix(truth, mask, len(model.label_table.class_names))
                scores[name] = scores.get(name, 0) + matrix
        with collect(failures, NameTooLongError):
            write_result(Result(sample.name, image, truth, prediction, filtered), OUTPUT, model.label_table)
    return scores, failures


def check_constants() -> None:
    """Refuse impossible constants before any long work."""
    if FILTER < 1 or FILTER % 2 == 0:
        raise UserError(f"--filter is {FILTER}; use an odd number of pixels, or 1 for none")
    if OUTPUT.resolve() == IMAGES.resolve() or is_dataset(OUTPUT):
        raise UserError(f"--output is {OUTPUT}, where images and labels are; name another folder")
    if IMAGES.resolve() in OUTPUT.resolve().parents:
        raise UserError(
            f"--output is {OUTPUT}, inside {IMAGES}, so its results would count as images; name another folder"
        )


if __name__ == "__main__":
    run(main)
