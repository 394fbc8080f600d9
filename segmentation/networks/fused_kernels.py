"""What lies between the convolutions of a dense block, compiled by XLA for TensorFlow on a CPU.

Written as single TensorFlow operations, batch norm, ReLU and dropout move every map through memory a dozen times;
compiled, once or twice. Convolutions stay with oneDNN, whose are many times faster than XLA's. XLA reads and writes
maps at the memory's rate but sums slowly, so sums are halves: XLA adds up slabs of rows, TensorFlow the few rows
that remain.

Shapes are (batch, height, width, channels) throughout; maps are float32 or bfloat16, arithmetic and the vectors of
channels are float32. XLA compiles a function anew for every shape that it meets.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

SLABS = 8  # rows added up in one go: with 16, XLA's code no longer fits the registers and takes four times as long


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled by XLA; traced once for all shapes."""
    return tf.function(function, jit_compile=True, autograph=False, reduce_retracing=True)


# ------------------------------------------------------------------------------------------- forward


@compiled
def normalise(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Batch norm and ReLU: the positive part of `scale` x + `shift`."""
    return tf.cast(tf.nn.relu(_wide(x) * scale + shift), x.dtype)


@compiled
def add_bias_and_drop(parts: list[tf.Tensor], bias: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Sum of the maps of one or two convolutions and the bias, then dropout.

    A share of `rate` of all elements becomes 0; `seed`, two uint32, decides which.
    """
    total = sum(_wide(part) for part in parts) + bias
    return tf.cast(_drop(total, seed, rate), parts[0].dtype)


def moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of every map over batch, height and width, (channels,) each."""
    total, squares = _finish_pair(_sum_and_squares(x), x)
    count = elements(x)
    mean = total / count
    return mean, tf.maximum(squares / count - mean * mean, 0.0)


@compiled
def _sum_and_squares(x: tf.Tensor) -> tf.Tensor:
    slabs = [_wide(slab) for slab in _slabs(x)]
    return sum(tf.complex(slab, slab * slab) for slab in slabs)


# ------------------------------------------------------------------------------------------ backward


def gradient_sums(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What the gradient of `normalise` adds up to: sum of d and sum of d x, (channels,) each.

    d is `upstream`, the gradient of `normalise(x, scale, shift)`, where the ReLU lets it pass.
    """
    width = tf.shape(x)[2]
    return _finish_pair(_masked_sums(x, tf.tile(scale, [width]), tf.tile(shift, [width]), upstream), x)


@compiled
def _masked_sums(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    sums = []
    for slab, gradient in zip(_slabs(x), _slabs(upstream), strict=True):
        slab = _wide(slab)
        passed = tf.where(slab * scale + shift > 0, _wide(gradient), 0.0)
        sums.append(tf.complex(passed, passed * slab))  # a complex number carries both sums through one pass
    return sum(sums)


@compiled
def input_gradient(x: tf.Tensor, norms: list[tuple], constant: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Gradient of maps that several layers normalise: `constant` + `slope` x + what passes their ReLUs.

    `norms` holds scale, shift and the gradient of the normalised maps of every layer.
    """
    return tf.cast(_through_norms(_wide(x), norms, constant, slope), x.dtype)


@compiled
def output_gradient(
    index: int,
    new: tf.Tensor,
    upstream: tf.Tensor,
    norms: list[tuple],
    constant: tf.Tensor,
    slope: tf.Tensor,
    seed: tf.Tensor,
    rate: float,
) -> tf.Tensor:
    """Gradient of the convolution of layer `index`, counted from 0, which made its share of a block's `new` maps.

    `upstream` is the gradient of the new maps from outside the block; `norms` are as in `input_gradient`, of the
    later layers, with gradients of all new maps that they see; `constant` and `slope` are of the layer's maps;
    `seed` and `rate` are of the dropout between the convolution and `new`.
    """
    growth = tf.shape(constant)[0]
    own = slice(index * growth, (index + 1) * growth)
    norms = [(scale, shift, gradient[..., own]) for scale, shift, gradient in norms]
    total = _wide(upstream[..., own]) + _through_norms(_wide(new[..., own]), norms, constant, slope)
    return tf.cast(_drop(total, seed, rate), new.dtype)


def _through_norms(x: tf.Tensor, norms: list[tuple], constant: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    total = constant + slope * x
    for scale, shift, gradient in norms:
        total += tf.where(x * scale + shift > 0, _wide(gradient) * scale, 0.0)
    return total


def channel_sum(x: tf.Tensor) -> tf.Tensor:
    """Sum over batch, height and width, (channels,)."""
    return tf.reduce_sum(tf.reshape(_sum(x), [-1, tf.shape(x)[3]]), 0)


@compiled
def _sum(x: tf.Tensor) -> tf.Tensor:
    return sum(_wide(slab) for slab in _slabs(x))


# -------------------------------------------------------------------------------------------- pieces


def elements(x: tf.Tensor) -> tf.Tensor:
    """How many values each map has over batch, height and width, as float32."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)


def _wide(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)


def _slabs(x: tf.Tensor) -> list[tf.Tensor]:
    """`SLABS` pieces of equal shape (rows, width * channels); zeros make up what is missing."""
    shape = tf.shape(x)
    rows = tf.reshape(x, [shape[0] * shape[1], shape[2] * shape[3]])
    rows = tf.pad(rows, [[0, -tf.shape(rows)[0] % SLABS], [0, 0]])
    return tf.unstack(tf.reshape(rows, [-1, SLABS, shape[2] * shape[3]]), axis=1)


def _finish_pair(sums: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Real and imaginary part of the complex sums over `_slabs(x)`, added up to (channels,)."""
    channels = tf.shape(x)[3]
    pairs = tf.reshape(tf.bitcast(sums, tf.float32), [-1, 2 * channels])
    totals = tf.reshape(tf.reduce_sum(pairs, 0), [channels, 2])
    return totals[:, 0], totals[:, 1]


def _drop(x: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Dropout whose mask follows from `seed`, two uint32, and the place of an element alone.

    Its bits are a hash of the place by MurmurHash3's last steps (Appleby, 2011): no source for statistics, but good
    enough to drop by, and far faster than TensorFlow's generators. The seeds are hashed first, because those of
    neighbouring layers and steps differ by little.
    """
    if rate == 0:
        return x
    key = _hash(seed[0] + _hash(seed[1]))
    place = tf.reshape(tf.cast(tf.range(tf.size(x)), tf.uint32), tf.shape(x))
    bits = _hash((place * _unsigned(0x9E3779B1)) ^ key, _hash(key))
    return tf.where(bits >= _unsigned(int(rate * 2**32)), x / (1 - rate), 0.0)


def _hash(bits: tf.Tensor, key: tf.Tensor | int = 0) -> tf.Tensor:
    """uint32 whose every bit depends on every one of `bits`; `key` makes one hash of many."""

    def mixed(bits: tf.Tensor, shift: int) -> tf.Tensor:
        return bits ^ tf.bitwise.right_shift(bits, _unsigned(shift))

    bits = mixed(bits, 16) * _unsigned(0x85EBCA6B) + tf.cast(key, tf.uint32)
    return mixed(mixed(bits, 13) * _unsigned(0xC2B2AE35), 16)


def _unsigned(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
