"""The dense block of FC-DenseNet and other densely connected networks."""

import math
from typing import Any, Literal

import keras
from keras import layers, ops

from segmentation.backend import on_cpu_with_tensorflow
from segmentation.errors import UserError
from segmentation.networks.layers import PACKAGE, batch_norm

Implementation = Literal["auto", "fast", "portable"]

# Height times width up to which the fast implementation saves less time than its compilation takes.
SMALL_PIXELS = 1000


@keras.saving.register_keras_serializable(PACKAGE)
class DenseBlock(layers.Layer):
    """`depth` layers of batch norm, ReLU, convolution and dropout; each sees the input and all new features.

    The output is the new features only, (batch, height, width, depth * growth_rate).

    There are two implementations of the same function: "portable" is plain Keras for every backend, "fast" is for
    TensorFlow on a CPU. "auto" is "fast" there, except for small features, and "portable" elsewhere. `recompute`
    makes the fast one keep less for the backward pass and compute more. Neither setting is part of a model file;
    `set_dense_block_implementation` changes them for a whole network.
    """

    def __init__(self, depth: int, growth_rate: int, dropout: float, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth, self.growth_rate, self.dropout, self.kernel_size = depth, growth_rate, dropout, kernel_size
        self.implementation: Implementation = "auto"
        self.recompute = False
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
        """Create the weights: every layer's input has `growth_rate` more channels than that of the layer before."""
        for i, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            seen = (*shape[:3], shape[3] + i * self.growth_rate)
            norm.build(seen)
            convolution.build(seen)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the new features of all layers, in the layers' order."""
        if not self._use_fast(x.shape, training):
            return self._call_portable(x, training)
        new = self._train_fast(x) if training else self._infer_fast(x)
        new.set_shape(self.compute_output_shape(x.shape))  # its graph is traced for any shape and does not know it
        return new

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the input's size with `depth * growth_rate` channels."""
        return (*shape[:3], self.depth * self.growth_rate)

    def get_config(self) -> dict:
        """Return the constructor's arguments for the model file."""
        names = ("depth", "growth_rate", "dropout", "kernel_size")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _use_fast(self, shape: tuple, training: Any) -> bool:
        """Return whether to use the fast implementation.

        `implementation` decides; training with a frozen batch norm, and dtypes other than float32 and bfloat16, always
        need the portable one.
        """
        small = None not in shape[1:3] and math.prod(shape[1:3]) <= SMALL_PIXELS
        wanted = self.implementation == "fast" or (
            self.implementation == "auto" and on_cpu_with_tensorflow() and not small
        )
        frozen = training and not all(norm.trainable for norm in self.norms)
        return wanted and not frozen and self.compute_dtype in ("float32", "bfloat16")

    def _call_portable(self, x: Any, training: bool | None) -> Any:
        stack = [x]
        for norm, convolution, dropout in zip(self.norms, self.convolutions, self.dropouts, strict=True):
            seen = ops.concatenate(stack, axis=-1) if len(stack) > 1 else x
            new = convolution(ops.relu(norm(seen, training=training)))
            stack.append(dropout(new, training=training))
        return ops.concatenate(stack[1:], axis=-1) if self.depth > 1 else stack[1]

    # The fast implementation imports TensorFlow, which other backends do not need: import it only where it is used.

    def _infer_fast(self, x: Any) -> Any:
        from segmentation.networks import fast_dense_block

        statistics = [(norm.moving_mean.value, norm.moving_variance.value) for norm in self.norms]
        return fast_dense_block.infer(x, self._layer_weights(), statistics, self.norms[0].epsilon)

    def _train_fast(self, x: Any) -> Any:
        from segmentation.networks import fast_dense_block

        seeds = [
            ops.cast(dropout.seed_generator.next() if self.dropout else [0, 0], "uint32") for dropout in self.dropouts
        ]
        new, mean, variance = fast_dense_block.train(
            x,
            self._layer_weights(),
            fast_dense_block.Dropout(self.dropout, seeds),
            self.norms[0].epsilon,
            self.recompute,
        )
        for norm in self.norms:
            channels = norm.moving_mean.shape[0]
            for moving, batch in ((norm.moving_mean, mean[:channels]), (norm.moving_variance, variance[:channels])):
                moving.assign(moving * norm.momentum + batch * (1 - norm.momentum))
        return new

    def _layer_weights(self) -> list:
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


def set_dense_block_implementation(
    network: keras.Model, implementation: Implementation = "auto", recompute: bool = False
) -> None:
    """Set the implementation of every dense block of a network.

    Call it after building or loading the network and before its first training step or prediction: Keras traces these
    once and keeps what was set then. Raise `UserError` for "fast" without TensorFlow.
    """
    if implementation == "fast" and keras.config.backend() != "tensorflow":
        raise UserError(f"--dense-block fast needs TensorFlow, and Keras runs on {keras.config.backend()}; use auto")
    for layer in network.layers:
        if isinstance(layer, DenseBlock):
            layer.implementation, layer.recompute = implementation, recompute
