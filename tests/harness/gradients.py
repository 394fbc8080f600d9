"""Gradients on the backend that Keras uses."""

from collections.abc import Callable

import keras
import numpy as np


def gradient(function: Callable, x: np.ndarray) -> np.ndarray:
    """Return the gradient at `x` of a function from a tensor to a scalar."""
    x = keras.ops.convert_to_tensor(x)
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()
