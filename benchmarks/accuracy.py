"""Compare the accuracy of FC-DenseNet trained with the fast dense block and with plain Keras layers, for several seeds.

    python -m benchmarks.accuracy --dataset FOLDER --validation FOLDER --models FOLDER

Runs 02_fc_densenet.py for every seed, once with its defaults and once with plain Keras layers in float32, and prints
the best validation mean IoU. Models that are already in the folder are not trained again.
"""

from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.table import Table

from benchmarks.training import Training
from segmentation.backend import load_keras
from segmentation.errors import UserError
from segmentation.flags import run
from segmentation.types import Size

DATASET = Path("dataset")  # training images
VALIDATION: Path | None = None  # validation images; None: hold out runs of DATASET
MODELS = Path("models/accuracy")  # output folder for the trained networks
SEEDS: tuple[int, ...] = (1, 2, 3)  # seeds of the initial weights and the order of the images; at least two
SIZE: Size = (160, 120)  # width and height of the images, pixels
EPOCHS = 3  # passes over the training images
BATCH_SIZE = 4  # images per step


def main() -> None:
    """Train every missing model and print the table of scores."""
    if len(SEEDS) < 2:
        raise UserError("--seeds needs at least two values, to compute their standard deviation")
    load_keras()
    from segmentation.checkpoint import load_model

    training = Training(DATASET, VALIDATION, SIZE, EPOCHS, BATCH_SIZE)
    implementations = {"fast": [], "plain": ["--dense-block", "portable", "--precision", "float32"]}
    scores: dict[str, list[float]] = {name: [] for name in implementations}
    for seed in SEEDS:
        for name, flags in implementations.items():
            model = MODELS / f"{name}_{seed}.keras"
            training.run(model, "--seed", str(seed), *flags)
            scores[name].append(load_model(model).best_score)
    table = Table("", *(f"seed {seed}" for seed in SEEDS), "mean", "deviation", title="validation mean IoU")
    for name, values in scores.items():
        table.add_row(name, *(f"{score:.3f}" for score in (*values, mean(values), stdev(values))))
    Console(width=120).print(table)


if __name__ == "__main__":
    run(main)
