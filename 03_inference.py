"""Segment images with a trained network.

    python 03_inference.py                        dataset_test/ to dataset_out/
    python 03_inference.py --images my_photos     any folder of images

For every image it writes the classes in colour (seg/), as ids (seg_raw/), and a panel that shows image, ground truth
if there is any, prediction, filtered prediction and overlay. With ground truth it also prints the IoU of every class.
"""

from pathlib import Path

from tqdm import tqdm

from segmentation.backend import load_keras
from segmentation.dataset.layout import is_dataset
from segmentation.dataset.samples import open_dataset
from segmentation.errors import UserError
from segmentation.flags import run
from segmentation.metrics import ConfusionMatrix, confusion_matrix
from segmentation.report import print_iou

MODEL: Path | None = None  # what 02_fc_densenet.py saved; None: the newest in models/
IMAGES = Path("dataset_test")  # folder of images, with or without labels, as in dataset/
OUTPUT = Path("dataset_out")  # created if missing; files of the same name are replaced
FILTER = 5  # width of the majority filter's window, pixels; 1: no filter


def main() -> None:
    """Read, segment, score and write every image, then print the scores."""
    check_constants()
    dataset = open_dataset(IMAGES)
    load_keras()  # takes seconds, so it comes after flags and images are known to be right
    from segmentation.checkpoint import load_model, newest_model
    from segmentation.inference import PANEL, GroundTruth, Result, filter_majority, segment, write_result

    model_file = MODEL or newest_model(Path("models"))
    model = load_model(model_file)
    class_names = model.label_table.class_names
    ground_truth = GroundTruth(dataset, model.label_table)
    scores: dict[str, ConfusionMatrix] = {}
    problems = [*dataset.problems, *ground_truth.problems]

    for sample in tqdm(dataset.samples, desc="Segmenting", unit="image", dynamic_ncols=True):
        try:
            image = sample.read_image()
        except UserError as error:  # the other images can still be segmented
            problems.append(str(error))
            continue
        try:
            truth = ground_truth.read(sample, image)
        except UserError as error:
            problems.append(str(error))
            truth = None

        prediction = segment(model, image)
        filtered = filter_majority(prediction, FILTER)

        if truth is not None:
            for name, mask in (("IoU", prediction), ("IoU, filtered", filtered)):
                scores[name] = scores.get(name, 0) + confusion_matrix(truth, mask, len(class_names))

        write_result(Result(sample.name, image, truth, prediction, filtered), OUTPUT, model.label_table)

    if scores:
        print_iou(scores, class_names, f"{model_file} on {IMAGES}")
    print(f"Model: {model_file}   results: {OUTPUT}   panels to look at: {OUTPUT / PANEL}")
    if problems:
        raise UserError("\n".join(["the images are segmented, but:", *problems]))


def check_constants() -> None:
    """Refuse impossible constants before any long work."""
    if FILTER < 1 or FILTER % 2 == 0:
        raise UserError(f"--filter is {FILTER}; use an odd number of pixels, or 1 for none")
    if OUTPUT.resolve() == IMAGES.resolve() or is_dataset(OUTPUT):
        raise UserError(f"--output is {OUTPUT}, where images and labels are; name another folder")


if __name__ == "__main__":
    run(main)
