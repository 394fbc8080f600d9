"""Train the light version of every network for the same number of steps on the same pictures, and compare.

    python -m benchmarks.networks --dataset FOLDER --validation FOLDER --epochs 3 --models FOLDER

runs 02 for every architecture, with the flags given, and prints parameters, arithmetic of one picture forward, time of
a training step relative to the first network's, and validation mean IoU. The models stay, to be looked at with 03.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

from benchmarks.training import train
from segmentation.backend import load_keras
from segmentation.flags import run
from segmentation.recipes import Architecture, choose_recipe

DATASET = Path("dataset")  # to train on
VALIDATION: Path | None = None  # None: hold out runs of DATASET
MODELS = Path("models/compared")  # where the networks are written; what is there is not trained again
EPOCHS = 3  # times that every picture is seen
BATCH_SIZE = 4  # pictures a step
SIZE = (240, 160)  # width and height of pictures, pixels
ROUNDS = 3  # turns of every network
STEPS = 3  # timed in a turn


def main(settings: Any) -> None:
    """Train where no model is yet, measure, print the table."""
    for architecture in get_args(Architecture):
        model = settings.models / f"{architecture}.keras"
        train(settings, model, "--architecture", architecture)
    print_table(settings)


def print_table(settings: Any) -> None:
    """Measure the networks in turn, so that what else the machine does hits all alike."""
    load_keras()
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from segmentation.model_file import load_model
    from segmentation.networks.catalogue import build_network
    from segmentation.training import compile_network

    width, height = settings.size
    models = {name: load_model(settings.models / f"{name}.keras") for name in get_args(Architecture)}
    recipes = {name: choose_recipe(name, "light") for name in models}
    networks = {
        name: build_network(name, len(model.labels.classes), "light", dropout=recipes[name].dropout)
        for name, model in models.items()
    }  # anew: what is saved has no auxiliary head, with which PSPNet is trained
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (settings.batch_size, height, width, 3)).astype(np.uint8)
    times: dict[str, list[float]] = {name: [] for name in networks}
    for name, network in networks.items():
        compile_network(network, recipes[name], steps_per_epoch=100, epochs=100)
    for name in [*networks] * settings.rounds:
        classes = random.integers(0, len(models[name].labels.classes), pictures.shape[:3]).astype(np.uint8)
        networks[name].train_on_batch(pictures, classes)  # traces, or fetches back the memory that others had since
        for _ in range(settings.steps):
            start = time.perf_counter()
            networks[name].train_on_batch(pictures, classes)
            times[name].append(time.perf_counter() - start)

    table = Table(title=f"batches of {settings.batch_size} pictures of {width}x{height}, {settings.epochs} epochs")
    for column in ("network", "parameters", "GFLOP", "step, s", "ratio", "validation mean IoU"):
        table.add_column(column, justify="right")
    steps = {name: median(seconds) for name, seconds in times.items()}
    for name, model in models.items():
        table.add_row(
            name,
            f"{model.network.count_params():,}",
            f"{forward_gflop(model.network, height, width):.1f}",
            f"{steps[name]:.2f}",
            f"{steps[name] / steps['fc_densenet']:.2f}",
            f"{model.best_score:.3f}",
        )
    Console(width=120).print(table)


def forward_gflop(network: object, height: int, width: int) -> float:
    """Multiplications and additions of one picture forward, in thousand millions, as TensorFlow's profiler counts."""
    import tensorflow as tf

    from segmentation.networks.dense_block import DenseBlock

    forward = tf.function(lambda pictures: network(pictures, training=False))
    path, DenseBlock.path = DenseBlock.path, "portable"  # the profiler sees no convolution within the fast way
    graph = forward.get_concrete_function(tf.TensorSpec((1, height, width, 3), tf.uint8)).graph
    DenseBlock.path = path
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops / 1e9


if __name__ == "__main__":
    run(main)
