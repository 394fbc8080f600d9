"""Compile a network by its recipe: loss, class weights, optimizer, learning rate schedule, weight decay, metric."""

from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from segmentation.backend import worth_compiling
from segmentation.labels.label_table import VOID
from segmentation.optimizers import AdamW, Muon
from segmentation.recipes import Recipe


def class_weights(pixels: npt.NDArray[np.int64], weighting: float | Literal["log"]) -> npt.NDArray[np.float32]:
    """Return the loss weight of a pixel by its class index, (256,), from the number of pixels per class index (256,).

    With `weighting` 0 all pixels weigh the same, with 1 all classes do (SegNet's median frequency balancing); in
    between, a class weighs its share to the power of `-weighting`. "log" is 1 / ln(1.02 + share), from the ENet
    paper. Void weighs 0, and the mean weight of a pixel is 1.
    """
    weights = np.zeros(VOID + 1)
    occurs = pixels[:VOID] > 0
    shares = pixels[:VOID][occurs] / pixels[:VOID].sum()
    weights[:VOID][occurs] = 1 / np.log(1.02 + shares) if weighting == "log" else shares**-weighting
    return (weights * pixels[:VOID].sum() / (weights[:VOID] @ pixels[:VOID])).astype(np.float32)


def compile_network(network: keras.Model, recipe: Recipe, *, steps_per_epoch: int, epochs: int) -> None:
    """Compile the network with the recipe's optimizer and schedule, cross-entropy and mean IoU.

    The loss is the mean over all pixels that are not void, weighted if batches contain weights.
    """
    schedule = learning_rate_schedule(recipe, steps_per_epoch, epochs)
    optimizers = {
        "muon": lambda: Muon(schedule, decay=recipe.weight_decay),
        "adamw": lambda: AdamW(schedule, decay=recipe.weight_decay),
        "adam": lambda: keras.optimizers.Adam(schedule),
        "rmsprop": lambda: keras.optimizers.RMSprop(schedule),
        "sgd": lambda: keras.optimizers.SGD(schedule, momentum=recipe.momentum),
    }
    num_classes = network.output_shape[-1]
    network.compile(
        optimizer=optimizers[recipe.optimizer](),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=VOID, reduction="mean_with_sample_weight"
        ),
        metrics=[keras.metrics.MeanIoU(num_classes, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")],
        jit_compile=worth_compiling(),
    )
    # If the first step created the optimizer's variables, TensorFlow would trace that step twice.
    network.optimizer.build(network.trainable_variables)


def learning_rate_schedule(recipe: Recipe, steps_per_epoch: int, epochs: int) -> Any:
    """Return the recipe's learning rate by step, as a Keras schedule."""
    schedules, steps = keras.optimizers.schedules, steps_per_epoch * epochs
    if recipe.schedule == "cosine":
        warmup = max(1, steps // 20)
        return schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
    if recipe.schedule == "polynomial":
        return schedules.PolynomialDecay(recipe.learning_rate, steps, end_learning_rate=0.0, power=0.9)
    return schedules.ExponentialDecay(
        recipe.learning_rate, recipe.step_epochs * steps_per_epoch, recipe.step_factor, staircase=True
    )


def add_weight_decay(network: keras.Model, recipe: Recipe) -> None:
    """Add an L2 penalty on all kernels to the loss, whose gradient is `weight_decay` times the kernel.

    Muon and AdamW decay weights themselves. A checkpoint does not store the penalty, so call this again on resume.
    """
    if recipe.optimizer not in ("muon", "adamw") and recipe.weight_decay:
        for weight in network.trainable_weights:
            if weight.path.endswith("kernel"):
                weight.regularizer = keras.regularizers.L2(recipe.weight_decay / 2)
