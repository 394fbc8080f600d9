"""A dense block for TensorFlow on a CPU: the same function as plain layers, with a hand-written gradient.

With plain layers, batch norm computes the mean and variance of a channel again for every layer that sees it,
concatenation copies the channel, and automatic differentiation keeps all of that in memory. Here the statistics of a
channel are computed once. A layer's convolution is the sum of two, one of the block's input and one of the new
features so far, so the input is never copied. The backward pass needs the block's input, its new features, and the
normalised features (after batch norm and ReLU), which are either kept or recomputed.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from segmentation.networks import fused_kernels as kernels


class Weights(NamedTuple):
    """Weights of one layer: kernel (side, side, channels seen, growth rate) in the dtype of the features."""

    gamma: tf.Tensor  # of batch norm, (channels seen,), like beta
    beta: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor


class Dropout(NamedTuple):
    """Share of the elements that become 0, and per layer two uint32 that decide which."""

    rate: float
    seeds: list[tf.Tensor]


class Norm(NamedTuple):
    """Batch norm as `scale` x + `shift`; (channels,) each."""

    scale: tf.Tensor
    shift: tf.Tensor
    mean: tf.Tensor
    inverse_deviation: tf.Tensor


class Part(NamedTuple):
    """What a layer sees of the block's input, or of the new features before it."""

    features: tf.Tensor
    scale: tf.Tensor
    shift: tf.Tensor
    kernel: tf.Tensor


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the function into a TensorFlow graph, traced once for all shapes: blocks of equal depth share it.

    It is not inlined, so that TensorFlow also optimises it once instead of at every call.
    """
    graph = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        # Trace for any shape first, or calling the graph would trace it for this one.
        graph.get_concrete_function(*tf.nest.map_structure(_any_shape, args))
        return graph(*args)

    return call


def _any_shape(value: Any) -> Any:
    return tf.TensorSpec([None] * value.shape.rank, value.dtype) if isinstance(value, tf.Tensor) else value


# ------------------------------------------------------------------------------------------- forward


def infer(x: tf.Tensor, layers: list[Weights], statistics: list[tuple], epsilon: float) -> tf.Tensor:
    """Return the new features of all layers without dropout.

    `statistics` are the mean and variance of every layer's batch norm.
    """
    return _infer(x, *tf.nest.map_structure(tf.convert_to_tensor, (layers, statistics)), epsilon)


@traced
def _infer(x: tf.Tensor, layers: list[Weights], statistics: list[tuple], epsilon: float) -> tf.Tensor:
    new: list[tf.Tensor] = []
    stack = x
    for weights, (mean, variance) in zip(layers, statistics, strict=True):
        norm = _norm(weights, mean, variance, epsilon)
        # One convolution of a copied stack: without a backward pass, that is faster than two of its parts.
        output = tf.nn.conv2d(kernels.normalise(stack, norm.scale, norm.shift), weights.kernel, 1, "SAME")
        new.append(tf.nn.bias_add(output, tf.cast(weights.bias, x.dtype)))
        stack = tf.concat([stack, new[-1]], 3)
    return _concat_channels(new)


def train(
    x: tf.Tensor, layers: list[Weights], dropout: Dropout, epsilon: float, recompute: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the new features of all layers, normalised by the batch's statistics, and these statistics.

    The statistics are mean and variance of the input's and the new features' channels; only the features have a
    gradient. With `recompute`, the backward pass computes the normalised features again: the memory it needs grows
    linearly with the depth, not quadratically.
    """

    @tf.custom_gradient
    def block(x: tf.Tensor, *flat: tf.Tensor) -> tuple:
        x, *values = (tf.stop_gradient(value) for value in (x, *flat))  # TensorFlow must not derive a gradient as well
        layers = [Weights(*values[start : start + 4]) for start in range(0, len(values), 4)]
        new, mean, variance, kept = _forward(x, layers, dropout, epsilon, recompute)

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple:
            x_gradient, gradients = _backward(x, upstream, new, mean, variance, kept, layers, dropout, epsilon)
            return x_gradient, *(value for weights in gradients for value in weights)

        return (new, mean, variance), gradient

    return block(x, *(tf.convert_to_tensor(value) for weights in layers for value in weights))


@traced
def _forward(x: tf.Tensor, layers: list[Weights], dropout: Dropout, epsilon: float, recompute: bool) -> tuple:
    """Return what `train` does, and what to keep of every layer: the new features that it sees, and all normalised."""
    statistics = [kernels.moments(x)]
    new: list[tf.Tensor] = []
    kept = []
    for weights, seed in zip(layers, dropout.seeds, strict=True):
        seen = _concat_channels(new)
        mean, variance = _concat_pairs(statistics)
        parts = _parts(x, seen, weights, _norm(weights, mean, variance, epsilon))
        normalised = [_normalise(part) for part in parts]
        output = kernels.add_bias_and_dropout(_convolve(parts, normalised), weights.bias, seed, dropout.rate)
        new.append(output)
        statistics.append(kernels.moments(output))
        kept.append(None if recompute else (seen, normalised))
    return _concat_channels(new), *_concat_pairs(statistics), kept


# ------------------------------------------------------------------------------------------ backward


@traced
def _backward(
    x: tf.Tensor,
    upstream: tf.Tensor,
    new: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    kept: list[tuple | None],
    layers: list[Weights],
    dropout: Dropout,
    epsilon: float,
) -> tuple[tf.Tensor, list[Weights]]:
    """Return the gradients of the block's input and of all weights; `upstream` is that of the new features."""
    input_channels, growth_rate, count = tf.shape(x)[3], tf.shape(layers[0].bias)[0], kernels.elements(x)
    # What the batch's statistics add to the gradient of every channel x: constant + slope x.
    constant, slope = tf.zeros_like(mean), tf.zeros_like(mean)
    # For the input and for the new features: scale, shift and gradient of each normalised version, last layer first.
    consumers: tuple[list, list] = ([], [])
    gradients: list[Weights] = []
    for index in reversed(range(len(layers))):
        weights = layers[index]
        seen = input_channels + index * growth_rate
        own = slice(index * growth_rate, (index + 1) * growth_rate)  # the layer's share of the new channels
        later = [(scale[own], shift[own], gradient) for scale, shift, gradient in consumers[1]]
        output_gradient = kernels.output_gradient(
            index,
            new,
            upstream,
            later,
            constant[input_channels:][own],
            slope[input_channels:][own],
            dropout.seeds[index],
            dropout.rate,
        )

        norm = _norm(weights, mean[:seen], variance[:seen], epsilon)
        with tf.control_dependencies([output_gradient]):  # or the features of all layers would be recomputed at once
            before, normalised = kept[index] or (new[..., : index * growth_rate] if index else None, None)
            parts = _parts(x, before, weights, norm)
            normalised = normalised or [_normalise(part) for part in parts]
        pairs = [*zip(normalised, parts, strict=True)]
        kernel_gradients = [_kernel_gradient(features, part.kernel, output_gradient) for features, part in pairs]
        part_gradients = [_convolved_gradient(features, part.kernel, output_gradient) for features, part in pairs]
        for consumer, part, gradient in zip(consumers, parts, part_gradients, strict=False):
            consumer.append((part.scale, part.shift, gradient))

        sums = [
            kernels.gradient_sums(part.features, part.scale, part.shift, gradient)
            for part, gradient in zip(parts, part_gradients, strict=True)
        ]
        beta_gradient, sum_with_x = _concat_pairs(sums)
        gamma_gradient = norm.inverse_deviation * (sum_with_x - norm.mean * beta_gradient)
        bias_gradient = kernels.channel_sum(output_gradient)
        gradients.insert(0, Weights(gamma_gradient, beta_gradient, tf.concat(kernel_gradients, 2), bias_gradient))
        # A channel x also changes the batch's mean and variance, and through them every normalised value.
        slope_change = -norm.scale * norm.inverse_deviation * gamma_gradient / count
        unseen = [[0, tf.size(mean) - seen]]
        slope += tf.pad(slope_change, unseen)
        constant += tf.pad(-norm.scale * beta_gradient / count - slope_change * norm.mean, unseen)
    x_gradient = kernels.input_gradient(x, consumers[0], constant[:input_channels], slope[:input_channels])
    return x_gradient, gradients


def _kernel_gradient(features: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return the gradient of the kernel that `features` are convolved with."""
    if features.dtype == tf.float32:
        return _conv_filter_gradient(features, upstream, tf.shape(kernel))
    # oneDNN is up to twice as fast in bfloat16 with the operands swapped: the few output channels as input.
    height, width, seen, made = tf.unstack(tf.shape(kernel))
    swapped = _conv_filter_gradient(upstream, features, [height, width, made, seen])
    return tf.transpose(swapped[::-1, ::-1], [0, 1, 3, 2])


def _conv_filter_gradient(features: tf.Tensor, upstream: tf.Tensor, shape: Any) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=features, filter_sizes=shape, out_backprop=upstream, strides=[1] * 4, padding="SAME"
    )


def _convolved_gradient(features: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return the gradient of the `features` that are convolved with `kernel`."""
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(features), filter=kernel, out_backprop=upstream, strides=[1] * 4, padding="SAME"
    )


# ------------------------------------------------------------------------------------------- helpers


def _norm(weights: Weights, mean: tf.Tensor, variance: tf.Tensor, epsilon: float) -> Norm:
    inverse_deviation = tf.math.rsqrt(variance + epsilon)
    scale = weights.gamma * inverse_deviation
    return Norm(scale, weights.beta - mean * scale, mean, inverse_deviation)


def _parts(x: tf.Tensor, new: tf.Tensor | None, weights: Weights, norm: Norm) -> list[Part]:
    """Split norm and kernel between the block's input and, for all layers but the first, the new features."""
    channels = tf.shape(x)[3]
    parts = [Part(x, norm.scale[:channels], norm.shift[:channels], weights.kernel[:, :, :channels])]
    if new is not None:
        parts.append(Part(new, norm.scale[channels:], norm.shift[channels:], weights.kernel[:, :, channels:]))
    return parts


def _normalise(part: Part) -> tf.Tensor:
    return kernels.normalise(part.features, part.scale, part.shift)


def _convolve(parts: list[Part], normalised: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.nn.conv2d(features, part.kernel, 1, "SAME") for part, features in zip(parts, normalised, strict=True)]


def _concat_channels(features: list[tf.Tensor]) -> tf.Tensor | None:
    if len(features) > 1:
        return tf.concat(features, 3)
    return features[0] if features else None


def _concat_pairs(pairs: list[tuple[tf.Tensor, tf.Tensor]]) -> tuple[tf.Tensor, tf.Tensor]:
    """Concatenate the first items of all pairs, and the second items."""
    first, second = zip(*pairs, strict=True)
    return tf.concat(first, 0), tf.concat(second, 0)
