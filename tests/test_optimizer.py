"""AdamW and Muon against those of Keras: only kernels decay, and only kernels of convolutions get Muon's update."""

import inspect

import keras
import numpy as np
import pytest

from segmentation.optimizers import AdamW, Muon

STOCK_MUON = inspect.signature(getattr(keras.optimizers, "Muon", keras.optimizers.Adam)).parameters
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=2)


def after_five_steps(optimizer, **shapes):
    random = np.random.default_rng(0)
    weights = [keras.Variable(random.normal(size=shape), dtype="float32", name=name) for name, shape in shapes.items()]
    for _ in range(5):
        gradients = [keras.ops.convert_to_tensor(random.normal(size=weight.shape), "float32") for weight in weights]
        optimizer.apply(gradients, weights)
    return [np.asarray(weight) for weight in weights]


def test_adamw_equals_that_of_keras_when_only_kernels_decay():
    stock = keras.optimizers.AdamW(SCHEDULE, weight_decay=0.3)
    stock.exclude_from_weight_decay(var_names=["bias"])
    shapes = {"kernel": (3, 3, 4, 2), "bias": (2,)}
    moved = after_five_steps(AdamW(SCHEDULE, decay=0.3), **shapes)
    for found, expected in zip(moved, after_five_steps(stock, **shapes), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.skipif("adam_weight_decay" not in STOCK_MUON, reason="the installed Keras has an older Muon")
def test_muon_updates_a_convolution_as_that_of_keras_updates_the_same_matrix():
    stock = keras.optimizers.Muon(SCHEDULE, weight_decay=0.3, adam_weight_decay=None)
    tall, wide, bias = after_five_steps(Muon(SCHEDULE, decay=0.3), tall=(3, 3, 4, 2), wide=(1, 1, 3, 5), bias=(2,))
    expected = after_five_steps(stock, tall=(36, 2), wide=(3, 5), bias=(2,))
    for found, matrix in zip((tall.reshape(36, 2), wide.reshape(3, 5), bias), expected, strict=True):
        np.testing.assert_allclose(found, matrix, atol=1e-4)


def test_muon_updates_depthwise_kernels_as_adamw_does():
    moved, expected = (after_five_steps(kind(SCHEDULE, decay=0.3), kernel=(3, 3, 4, 1)) for kind in (Muon, AdamW))
    np.testing.assert_allclose(moved, expected)
