"""A dense block for TensorFlow on a CPU: the same function as plain layers, with its gradient written by hand.

Plain batch norm finds mean and variance of a map again for every layer that sees it, concatenation copies it, and
automatic differentiation keeps all that in between. Here the statistics of a map are found once. A layer's
convolution is the sum of two, one of the block's input and one of the new maps before it, so the input is never
copied. The backward pass needs the block's input, its new maps, and what the layers made of them by batch norm and
ReLU, which can be kept or made again.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from segmentation.networks import fused_kernels as kernels


class Weights(NamedTuple):
    """Of one layer: batch norm's gamma and beta (seen,), kernel (side, side, seen, new) of the maps' type, bias."""

    gamma: tf.Tensor
    beta: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor


class Dropout(NamedTuple):
    """Share of the elements that become 0, and two uint32 a layer that decide which."""

    rate: float
    seeds: list[tf.Tensor]


class Norm(NamedTuple):
    """Batch norm as `scale` x + `shift`; (channels,) each."""

    scale: tf.Tensor
    shift: tf.Tensor
    mean: tf.Tensor
    inverse_deviation: tf.Tensor


class Part(NamedTuple):
    """What a layer sees of the block's input, or of the new maps before it."""

    maps: tf.Tensor
    scale: tf.Tensor
    shift: tf.Tensor
    kernel: tf.Tensor


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a TensorFlow graph, traced once for all shapes: blocks of equal depth share it.

    Not inlined, so that TensorFlow also optimises it once and not at every place that calls it.
    """
    graph = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})

    @functools.wraps(function)
    def general(*args: Any) -> Any:
        graph.get_concrete_function(*tf.nest.map_structure(_of_any_size, args))  # or it is traced for these sizes
        return graph(*args)

    return general


def _of_any_size(value: Any) -> Any:
    return tf.TensorSpec([None] * value.shape.rank, value.dtype) if isinstance(value, tf.Tensor) else value


# ------------------------------------------------------------------------------------------- forward


def infer(x: tf.Tensor, layers: list[Weights], statistics: list[tuple], epsilon: float) -> tf.Tensor:
    """New maps of all layers without dropout; `statistics` are the mean and variance of every layer's batch norm."""
    return _infer(x, *tf.nest.map_structure(tf.convert_to_tensor, (layers, statistics)), epsilon)


@traced
def _infer(x: tf.Tensor, layers: list[Weights], statistics: list[tuple], epsilon: float) -> tf.Tensor:
    new: list[tf.Tensor] = []
    stack = x
    for weights, (mean, variance) in zip(layers, statistics, strict=True):
        norm = _norm(weights, mean, variance, epsilon)
        # One convolution of a copied stack: without a backward pass to feed, that is faster than two of its parts.
        maps = tf.nn.conv2d(kernels.normalise(stack, norm.scale, norm.shift), weights.kernel, 1, "SAME")
        new.append(tf.nn.bias_add(maps, tf.cast(weights.bias, x.dtype)))
        stack = tf.concat([stack, new[-1]], 3)
    return _stacked(new)


def train(
    x: tf.Tensor, layers: list[Weights], dropout: Dropout, epsilon: float, recompute: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """New maps of all layers by the batch's statistics; mean and variance of the input and the new maps.

    Only the new maps have a gradient. With `recompute`, the backward pass makes the normalised maps again: what is
    kept grows linearly with the depth, not with its square.
    """

    @tf.custom_gradient
    def block(x: tf.Tensor, *flat: tf.Tensor) -> tuple:
        x, *flat = (tf.stop_gradient(value) for value in (x, *flat))  # no one else shall derive a gradient
        layers = [Weights(*flat[start : start + 4]) for start in range(0, len(flat), 4)]
        new, mean, variance, kept = _forward(x, layers, dropout, epsilon, recompute)

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple:
            of_x, of_layers = _backward(x, upstream, new, mean, variance, kept, layers, dropout, epsilon)
            return of_x, *(value for weights in of_layers for value in weights)

        return (new, mean, variance), gradient

    return block(x, *(tf.convert_to_tensor(value) for weights in layers for value in weights))


@traced
def _forward(x: tf.Tensor, layers: list[Weights], dropout: Dropout, epsilon: float, recompute: bool) -> tuple:
    """As `train`; also what is kept of every layer: the new maps that it sees, and all its normalised maps."""
    statistics = [kernels.moments(x)]
    new: list[tf.Tensor] = []
    kept = []
    for weights, seed in zip(layers, dropout.seeds, strict=True):
        seen = _stacked(new)
        parts = _parts(x, seen, weights, _norm(weights, *_joined(statistics), epsilon))
        normalised = [_normalise(part) for part in parts]
        made = kernels.add_bias_and_drop(_convolve(parts, normalised), weights.bias, seed, dropout.rate)
        new.append(made)
        statistics.append(kernels.moments(made))
        kept.append(None if recompute else (seen, normalised))
    return _stacked(new), *_joined(statistics), kept


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
    """Gradients of the block's input and of all weights, given `upstream`, that of the new maps."""
    edge, growth, count = tf.shape(x)[3], tf.shape(layers[0].bias)[0], kernels.elements(x)
    constant, slope = tf.zeros_like(mean), tf.zeros_like(mean)
    through: tuple[list, list] = ([], [])  # scale, shift and gradient of what layers made of input, new maps
    gradients = []
    for index in reversed(range(len(layers))):
        weights = layers[index]
        seen = edge + index * growth
        own = slice(index * growth, (index + 1) * growth)
        later = [(scale[own], shift[own], gradient) for scale, shift, gradient in through[1]]
        of_made = kernels.output_gradient(
            index, new, upstream, later, constant[edge:][own], slope[edge:][own], dropout.seeds[index], dropout.rate
        )

        norm = _norm(weights, mean[:seen], variance[:seen], epsilon)
        with tf.control_dependencies([of_made]):  # or all layers' maps would be made again at once
            before, normalised = kept[index] or (new[..., : index * growth] if index else None, None)
            parts = _parts(x, before, weights, norm)
            normalised = normalised or [_normalise(part) for part in parts]
        of_kernels = [
            _kernel_gradient(maps, part.kernel, of_made) for maps, part in zip(normalised, parts, strict=True)
        ]
        of_parts = [_maps_gradient(maps, part.kernel, of_made) for maps, part in zip(normalised, parts, strict=True)]
        for contributions, part, gradient in zip(through, parts, of_parts, strict=False):
            contributions.append((part.scale, part.shift, gradient))

        sums = [kernels.gradient_sums(*part[:3], gradient) for part, gradient in zip(parts, of_parts, strict=True)]
        of_beta, with_maps = _joined(sums)
        of_gamma = norm.inverse_deviation * (with_maps - norm.mean * of_beta)
        gradients.insert(0, Weights(of_gamma, of_beta, tf.concat(of_kernels, 2), kernels.channel_sum(of_made)))
        # A map x also changes the batch's mean and variance, and through them every value: constant + slope x.
        bend = -norm.scale * norm.inverse_deviation * of_gamma / count
        rest = [[0, tf.size(mean) - seen]]
        slope += tf.pad(bend, rest)
        constant += tf.pad(-norm.scale * of_beta / count - bend * norm.mean, rest)
    return kernels.input_gradient(x, through[0], constant[:edge], slope[:edge]), gradients


def _kernel_gradient(maps: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Gradient of the kernel of a convolution of `maps`."""
    if maps.dtype == tf.float32:
        return _conv_filter_gradient(maps, upstream, tf.shape(kernel))
    # oneDNN is up to twice as fast in bfloat16 with the operands swapped: the few new maps as input.
    height, width, seen, made = tf.unstack(tf.shape(kernel))
    swapped = _conv_filter_gradient(upstream, maps, [height, width, made, seen])
    return tf.transpose(swapped[::-1, ::-1], [0, 1, 3, 2])


def _conv_filter_gradient(maps: tf.Tensor, upstream: tf.Tensor, shape: Any) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=maps, filter_sizes=shape, out_backprop=upstream, strides=[1] * 4, padding="SAME"
    )


def _maps_gradient(maps: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Gradient of the maps of a convolution."""
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(maps), filter=kernel, out_backprop=upstream, strides=[1] * 4, padding="SAME"
    )


# -------------------------------------------------------------------------------------------- pieces


def _norm(weights: Weights, mean: tf.Tensor, variance: tf.Tensor, epsilon: float) -> Norm:
    inverse_deviation = tf.math.rsqrt(variance + epsilon)
    scale = weights.gamma * inverse_deviation
    return Norm(scale, weights.beta - mean * scale, mean, inverse_deviation)


def _parts(x: tf.Tensor, new: tf.Tensor | None, weights: Weights, norm: Norm) -> list[Part]:
    """The block's input and, for all layers but the first, the new maps, each with its share of norm and kernel."""
    edge = tf.shape(x)[3]
    parts = [Part(x, norm.scale[:edge], norm.shift[:edge], weights.kernel[:, :, :edge])]
    if new is not None:
        parts.append(Part(new, norm.scale[edge:], norm.shift[edge:], weights.kernel[:, :, edge:]))
    return parts


def _normalise(part: Part) -> tf.Tensor:
    return kernels.normalise(part.maps, part.scale, part.shift)


def _convolve(parts: list[Part], normalised: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.nn.conv2d(maps, part.kernel, 1, "SAME") for part, maps in zip(parts, normalised, strict=True)]


def _stacked(maps: list[tf.Tensor]) -> tf.Tensor | None:
    if len(maps) > 1:
        return tf.concat(maps, 3)
    return maps[0] if maps else None


def _joined(statistics: list[tuple]) -> list[tf.Tensor]:
    return [tf.concat(values, 0) for values in zip(*statistics, strict=True)]
