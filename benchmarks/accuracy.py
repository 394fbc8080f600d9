"""Train FC-DenseNet by the fast way, as it is by default, and by plain Keras layers in float32, with several seeds.

    python -m benchmarks.accuracy --dataset FOLDER --validation FOLDER --models FOLDER

runs 02 for each and prints the best validation mean IoU. What is in the folder is not trained again.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.training import train
from segmentation.backend import load_keras
from segmentation.errors import UserError
from segmentation.flags import run

DATASET = Path("dataset")  # to train on
VALIDATION: Path | None = None  # None: hold out runs of DATASET
MODELS = Path("models/accuracy")  # where the networks are written
SEEDS: tuple[int, ...] = (1, 2, 3)  # of initial weights and order
SIZE = (160, 120)  # width and height of pictures, pixels
EPOCHS = 3  # times that every picture is seen
BATCH_SIZE = 4  # pictures a step


def main(settings: Any) -> None:
    """Train in turns, print the table."""
    if len(settings.seeds) < 2:
        raise UserError("--seeds needs two at least, for the deviation between them")
    load_keras()
    from segmentation.model_file import load_model

    ways = {"fast": [], "plain": ["--dense-block", "portable", "--precision", "float32"]}
    scores: dict[str, list[float]] = {way: [] for way in ways}
    for seed in settings.seeds:
        for way, flags in ways.items():
            model = settings.models / f"{way}_{seed}.keras"
            train(settings, model, "--seed", str(seed), *flags)
            scores[way].append(load_model(model).best_score)
    table = Table("", *(f"seed {seed}" for seed in settings.seeds), "mean", "deviation", title="validation mean IoU")
    for way, found in scores.items():
        table.add_row(way, *(f"{score:.3f}" for score in (*found, mean(found), stdev(found))))
    Console(width=120).print(table)


if __name__ == "__main__":
    run(main)
