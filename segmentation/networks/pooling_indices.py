"""Max pooling that remembers where each maximum was, and the unpooling that puts values back there.

SegNet and ENet hand these places, not the maps themselves, from the way down to the way up: borders come back
where they were for a byte a window.
"""

from typing import Any

import keras
from keras import layers, ops

from segmentation.networks.layers import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class MaxPoolingWithIndices(layers.Layer):
    """2x2 max pooling with stride 2; an odd last row or column is left out.

    Maps (batch, height, width, channels) become two tensors of (batch, height // 2, width // 2, channels): the
    maxima, and as int8 where in its window each was (0 1 in the upper row, 2 3 in the lower). Of equals the first
    wins, and the gradient goes to the winner alone, which the gradient of `ops.max` does not promise.
    """

    def call(self, x: Any) -> tuple[Any, Any]:
        """Maxima and their places."""
        batch, height, width, channels = ops.shape(x)
        height, width = height // 2, width // 2
        windows = ops.reshape(x[:, : 2 * height, : 2 * width], (batch, height, 2, width, 2, channels))
        upper, lower = ops.unstack(windows, 2, axis=2)
        # Taken apart and compared, which takes half the time of argmax and one-hot on a CPU.
        maxima, *others = [*ops.unstack(upper, 2, axis=3), *ops.unstack(lower, 2, axis=3)]
        indices = ops.zeros_like(maxima, dtype="int8")
        for place, values in enumerate(others, 1):
            wins = values > maxima
            maxima = ops.where(wins, values, maxima)
            indices = ops.where(wins, ops.cast(place, "int8"), indices)
        return maxima, indices

    def compute_output_spec(self, x: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Half the size, rounded down; unknown sizes stay unknown."""
        height, width = (size and size // 2 for size in x.shape[1:3])
        shape = (x.shape[0], height, width, x.shape[3])
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, "int8")


@keras.saving.register_keras_serializable(PACKAGE)
class MaxUnpooling(layers.Layer):
    """Undo `MaxPoolingWithIndices`: every value goes to the place that its index names, zeros elsewhere.

    Takes (maps, indices, like): maps and indices of one shape (batch, height, width, channels), and the maps that
    were pooled, (batch, 2 height or 1 more, 2 width or 1 more, any), which give the size of the result.
    """

    def call(self, inputs: tuple) -> Any:
        """Maps of twice the size and as many channels."""
        x, indices, like = inputs
        batch, height, width, channels = ops.shape(x)
        windows = ops.one_hot(indices, 4, axis=3, dtype=x.dtype) * x[:, :, :, None]
        windows = ops.reshape(windows, (batch, height, width, 2, 2, channels))
        maps = ops.reshape(ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (batch, 2 * height, 2 * width, channels))
        bottom, right = (ops.shape(like)[axis] - ops.shape(maps)[axis] for axis in (1, 2))
        return ops.pad(maps, [[0, 0], [0, bottom], [0, right], [0, 0]])

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Size of `like`, channels of the maps."""
        shape, _, like = shapes
        return (*like[:3], shape[3])
