"""Segment pictures with a trained network.

    python 03_inference.py                          dataset_test/ to dataset_out/
    python 03_inference.py --pictures my_photos     any folder of pictures

For every picture: its classes in colour (seg/), as ids (seg_raw/), and a panel that shows picture, truth
where there is one, prediction, filtered prediction and overlay. With truth, also IoU per class.
"""

from pathlib import Path
from typing import Any

from segmentation.backend import load_keras
from segmentation.dataset.folder import open_dataset
from segmentation.errors import UserError
from segmentation.flags import run
from segmentation.report import print_iou

MODEL: Path | None = None  # what 02_fc_densenet.py saved; None: the newest in models/
PICTURES = Path("dataset_test")  # pictures, alone or with labels as in dataset/
OUTPUT = Path("dataset_out")  # made when missing; files of the same name are replaced
FILTER = 5  # pixels; width of the window of the median filter, 1: none


def main(settings: Any) -> None:
    """Load the model, segment every picture, write the results, tell the score."""
    if settings.filter < 1 or settings.filter % 2 == 0:
        raise UserError(f"--filter is {settings.filter}; use an odd number of pixels, or 1 for none")
    if settings.output.resolve() == settings.pictures.resolve() or (settings.output / "rgb").exists():
        raise UserError(f"--output is {settings.output}, where pictures and labels are; name another folder")
    dataset = open_dataset(settings.pictures)
    # TensorFlow takes seconds to load: not before flags and pictures are known to be right.
    load_keras()
    from segmentation.inference import segment_folder
    from segmentation.model_file import load_model, newest_model

    model = settings.model or newest_model(Path("models"))
    trained = load_model(model)
    confusions, problems = segment_folder(trained, dataset, settings.output, settings.filter)
    if confusions:
        print_iou(confusions, trained.labels.classes, f"{model} on {settings.pictures}")
    print(f"Model: {model}   results: {settings.output}   panels to look at: {settings.output / 'panel'}")
    if problems:
        raise UserError("\n".join(["not all files could be used:", *problems]))


if __name__ == "__main__":
    run(main)
