"""Max pooling that also returns the position of each maximum, and the unpooling that puts values back there.

SegNet and ENet pass these positions from encoder to decoder instead of features: outlines return to where they were,
at a cost of one byte per window.
"""

from typing import Any

import keras
from keras import layers, ops

from segmentation.networks.layers import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class MaxPoolingWithIndices(layers.Layer):
    """2x2 max pooling with stride 2; an odd last row or column is left out.

    Features (batch, height, width, channels) become two tensors of (batch, height // 2, width // 2, channels): the
    maxima, and as int8 the position of each in its window (0 1 in the upper row, 2 3 in the lower). Of equal values the
    first wins, and only the winner gets the gradient, which `ops.max` does not guarantee.
    """

    def call(self, x: Any) -> tuple[Any, Any]:
        """Return the maxima and their positions."""
        batch, height, width, channels = ops.shape(x)
        height, width = height // 2, width // 2
        windows = ops.reshape(x[:, : 2 * height, : 2 * width], (batch, height, 2, width, 2, channels))
        upper, lower = ops.unstack(windows, 2, axis=2)
        # Comparing the four values takes half the time of argmax and one-hot on a CPU.
        corners: list[Any] = [*ops.unstack(upper, 2, axis=3), *ops.unstack(lower, 2, axis=3)]
        maxima = corners[0]
        indices = ops.zeros_like(maxima, dtype="int8")
        for position, values in enumerate(corners[1:], 1):
            wins = values > maxima
            maxima = ops.where(wins, values, maxima)
            indices = ops.where(wins, ops.cast(position, "int8"), indices)
        return maxima, indices

    def compute_output_spec(self, x: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Halve the size, rounding down; unknown sizes stay unknown."""
        height, width = (size and size // 2 for size in x.shape[1:3])
        shape = (x.shape[0], height, width, x.shape[3])
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, "int8")


@keras.saving.register_keras_serializable(PACKAGE)
class MaxUnpooling(layers.Layer):
    """Undo `MaxPoolingWithIndices`: every value goes to the position that its index names; all others are zero.

    The inputs are (features, indices, like): features and indices of the same shape (batch, height, width, channels),
    and the features that were pooled, (batch, 2 height or 1 more, 2 width or 1 more, any), which set the output's size.
    """

    def call(self, inputs: tuple) -> Any:
        """Return features of twice the size with the same number of channels."""
        x, indices, like = inputs
        batch, height, width, channels = ops.shape(x)
        windows = ops.one_hot(indices, 4, axis=3, dtype=x.dtype) * x[:, :, :, None]
        windows = ops.reshape(windows, (batch, height, width, 2, 2, channels))
        features = ops.reshape(ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (batch, 2 * height, 2 * width, channels))
        bottom, right = (ops.shape(like)[axis] - ops.shape(features)[axis] for axis in (1, 2))
        return ops.pad(features, [[0, 0], [0, bottom], [0, right], [0, 0]])

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Return the size of `like` with the channels of the features."""
        shape, _, like = shapes
        return (*like[:3], shape[3])
