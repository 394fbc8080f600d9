"""Our AdamW is Keras's, with weight decay for kernels alone."""

import keras
import numpy as np

from segmentation.optimizer import AdamW


def after_five_steps(optimizer):
    random = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 4, 2), "bias": (2,)}
    weights = [keras.Variable(random.normal(size=shape), dtype="float32", name=name) for name, shape in shapes.items()]
    for _ in range(5):
        gradients = [keras.ops.convert_to_tensor(random.normal(size=weight.shape), "float32") for weight in weights]
        optimizer.apply(gradients, weights)
    return [np.asarray(weight) for weight in weights]


def test_steps_equal_those_of_keras_with_decay_of_kernels_alone():
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=2)
    stock = keras.optimizers.AdamW(schedule, weight_decay=0.3)
    stock.exclude_from_weight_decay(var_names=["bias"])
    for found, expected in zip(after_five_steps(AdamW(schedule, decay=0.3)), after_five_steps(stock), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
