"""The dense block of FC-DenseNet and other densely connected networks."""

import math
from typing import Any, Literal

import keras
from keras import layers, ops

from segmentation.backend import on_cpu_with_tensorflow
from segmentation.networks.layers import PACKAGE, batch_norm

SMALL = 1000  # pixels of a map up to which the fast way saves less time than its compilation takes


@keras.saving.register_keras_serializable(PACKAGE)
class DenseBlock(layers.Layer):
    """`depth` layers of batch norm, ReLU, convolution and dropout; each sees the input and all new maps.

    The output is the new maps alone, (batch, height, width, depth * growth_rate).

    Two ways lead to the same output. "portable" is plain Keras for every backend; "fast" is for TensorFlow on a CPU,
    where "auto" takes it for all but small maps. `DenseBlock.path = "portable"` sets the way for all blocks,
    `block.path` for one; `recompute` makes the fast way keep less for the backward pass and compute more. Neither is
    part of a model file.
    """

    path: Literal["auto", "fast", "portable"] = "auto"
    recompute = False

    def __init__(self, depth: int, growth_rate: int, dropout: float, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth, self.growth_rate, self.dropout, self.kernel_size = depth, growth_rate, dropout, kernel_size
        inner = {"dtype": self.dtype_policy}
        self.norms = [batch_norm(f"norm_{i}", **inner) for i in range(1, depth + 1)]
        self.convolutions = [
            layers.Conv2D(
                growth_rate, kernel_size, padding="same", kernel_initializer="he_uniform", name=f"conv_{i}", **inner
            )
            for i in range(1, depth + 1)
        ]
        self.dropouts = [layers.Dropout(dropout, name=f"dropout_{i}", **inner) for i in range(1, depth + 1)]

    def build(self, shape: tuple) -> None:
        """Make the weights: every layer's input is `growth_rate` maps wider than the one before."""
        for i, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            seen = (*shape[:3], shape[3] + i * self.growth_rate)
            norm.build(seen)
            convolution.build(seen)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """New maps of all layers, in their order."""
        if not self._takes_fast_path(x.shape, training):
            return self._plain(x, training)
        new = self._train_fast(x) if training else self._infer_fast(x)
        new.set_shape(self.compute_output_shape(x.shape))  # which the fast way's graph, made for any, does not tell
        return new

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The input's size, `depth * growth_rate` maps."""
        return (*shape[:3], self.depth * self.growth_rate)

    def get_config(self) -> dict:
        """For the model file."""
        own = ("depth", "growth_rate", "dropout", "kernel_size")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _takes_fast_path(self, shape: tuple, training: Any) -> bool:
        """By `path`; a frozen batch norm in training and types other than float32 and bfloat16 need the portable."""
        small = None not in shape[1:3] and math.prod(shape[1:3]) <= SMALL
        wanted = self.path == "fast" or (self.path == "auto" and on_cpu_with_tensorflow() and not small)
        frozen = training and not all(norm.trainable for norm in self.norms)
        return wanted and not frozen and self.compute_dtype in ("float32", "bfloat16")

    def _plain(self, x: Any, training: bool | None) -> Any:
        stack = [x]
        for norm, convolution, dropout in zip(self.norms, self.convolutions, self.dropouts, strict=True):
            seen = ops.concatenate(stack, axis=-1) if len(stack) > 1 else x
            new = convolution(ops.relu(norm(seen, training=training)))
            stack.append(dropout(new, training=training))
        return ops.concatenate(stack[1:], axis=-1) if self.depth > 1 else stack[1]

    def _infer_fast(self, x: Any) -> Any:
        from segmentation.networks import fast_dense_block

        statistics = [(norm.moving_mean.value, norm.moving_variance.value) for norm in self.norms]
        return fast_dense_block.infer(x, self._weights(), statistics, self.norms[0].epsilon)

    def _train_fast(self, x: Any) -> Any:
        from segmentation.networks import fast_dense_block

        seeds = [
            ops.cast(dropout.seed_generator.next() if self.dropout else [0, 0], "uint32") for dropout in self.dropouts
        ]
        dropout = fast_dense_block.Dropout(self.dropout, seeds)
        new, mean, variance = fast_dense_block.train(x, self._weights(), dropout, self.norms[0].epsilon, self.recompute)
        for norm in self.norms:
            seen = norm.moving_mean.shape[0]
            for moving, batch in ((norm.moving_mean, mean[:seen]), (norm.moving_variance, variance[:seen])):
                moving.assign(moving * norm.momentum + batch * (1 - norm.momentum))
        return new

    def _weights(self) -> list:
        from segmentation.networks.fast_dense_block import Weights

        return [
            Weights(
                norm.gamma.value,
                norm.beta.value,
                ops.cast(convolution.kernel, self.compute_dtype),
                ops.cast(convolution.bias, "float32"),
            )
            for norm, convolution in zip(self.norms, self.convolutions, strict=True)
        ]
