"""Gradients on the backend that Keras runs on."""

from collections.abc import Callable

import keras
import numpy as np


def gradient(function: Callable, x: np.ndarray) -> np.ndarray:
    """Gradient at `x` of the one number that `function` makes of a tensor."""
    x = keras.ops.convert_to_tensor(x)
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        number = function(x)
    return tape.gradient(number, x).numpy()
