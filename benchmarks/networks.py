"""Train the light variant of every network for the same number of steps on the same images, and compare them.

    python -m benchmarks.networks --dataset FOLDER --validation FOLDER --epochs 3 --models FOLDER

Runs 02_fc_densenet.py for every architecture. Prints the parameters, the GFLOP of one image's forward pass, the time of
a training step (also relative to FC-DenseNet) and the validation mean IoU. The models are kept, so that
03_inference.py can use them; models that are already in the folder are not trained again.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from benchmarks.training import Training
from segmentation.backend import load_keras
from segmentation.flags import run
from segmentation.networks.registry import Architecture, build_network, choose_recipe
from segmentation.types import Size

DATASET = Path("dataset")  # training images
VALIDATION: Path | None = None  # validation images; None: hold out runs of DATASET
MODELS = Path("models/compared")  # output folder for the trained networks
EPOCHS = 3  # passes over the training images
BATCH_SIZE = 4  # images per step
SIZE: Size = (240, 160)  # width and height of the images, pixels
ROUNDS = 3  # rounds of step timings; the networks take turns
STEPS = 3  # steps timed per network and round


def main() -> None:
    """Train every missing model, measure all of them and print the table."""
    training = Training(DATASET, VALIDATION, SIZE, EPOCHS, BATCH_SIZE)
    paths = {name: MODELS / f"{name}.keras" for name in get_args(Architecture)}
    for name, path in paths.items():
        training.run(path, "--architecture", name)
    load_keras()
    from segmentation.checkpoint import load_model

    models = {name: load_model(path) for name, path in paths.items()}
    steps = step_seconds({name: len(model.label_table.class_names) for name, model in models.items()})
    title = f"batches of {BATCH_SIZE} images of {SIZE[0]}x{SIZE[1]}, {EPOCHS} epochs"
    columns = ("network", "parameters", "GFLOP", "step, s", "ratio", "validation mean IoU")
    table = Table(*(Column(name, justify="right") for name in columns), title=title)
    for name, model in models.items():
        table.add_row(
            name,
            f"{model.network.count_params():,}",
            f"{forward_gflop(model.network, SIZE):.1f}",
            f"{steps[name]:.2f}",
            f"{steps[name] / steps['fc_densenet']:.2f}",
            f"{model.best_score:.3f}",
        )
    Console(width=120).print(table)


def step_seconds(num_classes: dict[str, int]) -> dict[str, float]:
    """Return the median time of a training step by network, given the number of classes by network.

    The networks take turns, so that other load on the machine affects all of them alike. They are built from scratch:
    saved models lack the auxiliary head with which PSPNet is trained.
    """
    networks = {name: compiled_network(name, count) for name, count in num_classes.items()}
    rng = np.random.default_rng(0)
    width, height = SIZE
    images = rng.integers(0, 256, (BATCH_SIZE, height, width, 3)).astype(np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for name in [*networks] * ROUNDS:
        mask = rng.integers(0, num_classes[name], images.shape[:3]).astype(np.uint8)
        # Not timed: the first call traces the step, later ones page the network's memory back in.
        networks[name].train_on_batch(images, mask)
        for _ in range(STEPS):
            start = time.perf_counter()
            networks[name].train_on_batch(images, mask)
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def compiled_network(architecture: str, num_classes: int) -> Any:
    """Build and compile the light variant of a network by its recipe."""
    from segmentation.training.compilation import compile_network

    recipe = choose_recipe(architecture, "light")
    network = build_network(architecture, "light", num_classes, dropout=recipe.dropout)
    compile_network(network, recipe, steps_per_epoch=100, epochs=100)
    return network


def forward_gflop(network: Any, size: Size) -> float:
    """Return the multiplications and additions of one image's forward pass, in billions, by TensorFlow's profiler."""
    import tensorflow as tf

    from segmentation.networks.dense_block import DenseBlock

    width, height = size
    blocks = [layer for layer in network.layers if isinstance(layer, DenseBlock)]
    implementations = [block.implementation for block in blocks]
    for block in blocks:
        block.implementation = "portable"  # the profiler does not see the convolutions of the fast one
    forward = tf.function(lambda images: network(images, training=False))
    graph = forward.get_concrete_function(tf.TensorSpec((1, height, width, 3), tf.uint8)).graph
    for block, implementation in zip(blocks, implementations, strict=True):
        block.implementation = implementation
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops / 1e9


if __name__ == "__main__":
    run(main)
