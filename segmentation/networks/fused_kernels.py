"""The steps between the convolutions of a dense block, compiled by XLA for TensorFlow on a CPU.

As separate TensorFlow operations, batch norm, ReLU and dropout read and write all features a dozen times; compiled,
once or twice. Convolutions stay with oneDNN, which is many times faster at them than XLA. XLA reads and writes features
at memory bandwidth but sums slowly, so sums are split: XLA adds up slabs of rows, TensorFlow the few rows that remain.

Features are (batch, height, width, channels), float32 or bfloat16; arithmetic and the vectors (channels,) are float32.
XLA compiles a function again for every new shape.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

SLABS = 8  # slabs added up in one pass; with 16, XLA runs out of registers and takes four times as long


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile the function by XLA; it is traced once for all shapes."""
    return tf.function(function, jit_compile=True, autograph=False, reduce_retracing=True)


# ------------------------------------------------------------------------------------------- forward


@compiled
def normalise(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Apply batch norm and ReLU: return the positive part of `scale` x + `shift`."""
    return tf.cast(tf.nn.relu(_float32(x) * scale + shift), x.dtype)


@compiled
def add_bias_and_dropout(parts: list[tf.Tensor], bias: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Add up the outputs of one or two convolutions and the bias, then apply dropout.

    A share of `rate` of all elements becomes 0; `seed`, two uint32, decides which.
    """
    total = sum(_float32(part) for part in parts) + bias
    return tf.cast(_dropout(total, seed, rate), parts[0].dtype)


def moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel over batch, height and width, (channels,) each."""
    total, squares = _finish_pair(_sum_and_squares(x), x)
    count = elements(x)
    mean = total / count
    return mean, tf.maximum(squares / count - mean * mean, 0.0)


@compiled
def _sum_and_squares(x: tf.Tensor) -> tf.Tensor:
    slabs = [_float32(slab) for slab in _slabs(x)]
    return sum(tf.complex(slab, slab * slab) for slab in slabs)


# ------------------------------------------------------------------------------------------ backward


def gradient_sums(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what the gradient of `normalise` adds up to: sum of d and sum of d x, (channels,) each.

    d is `upstream`, the gradient of `normalise(x, scale, shift)`, where the ReLU lets it pass, and 0 elsewhere.
    """
    width = tf.shape(x)[2]
    return _finish_pair(_masked_sums(x, tf.tile(scale, [width]), tf.tile(shift, [width]), upstream), x)


@compiled
def _masked_sums(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    sums = []
    for slab, gradient in zip(_slabs(x), _slabs(upstream), strict=True):
        slab = _float32(slab)
        passed = tf.where(slab * scale + shift > 0, _float32(gradient), 0.0)
        sums.append(tf.complex(passed, passed * slab))  # a complex number carries both sums through one pass
    return sum(sums)


@compiled
def input_gradient(x: tf.Tensor, norms: list[tuple], constant: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Return the gradient of features that several layers normalise: `constant` + `slope` x + what passes their ReLUs.

    `norms` holds scale, shift and the gradient of the normalised features of every layer.
    """
    return tf.cast(_through_norms(_float32(x), norms, constant, slope), x.dtype)


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
    """Return the gradient of the convolution of layer `index`, counted from 0, which made its share of `new`.

    `new` are the new features of the block and `upstream` their gradient from outside the block. `norms` are as in
    `input_gradient`, of the later layers, with gradients of all new features that they see. `constant` and `slope`
    are of the layer's own channels; `seed` and `rate` are of the dropout between the convolution and `new`.
    """
    growth_rate = tf.shape(constant)[0]
    own = slice(index * growth_rate, (index + 1) * growth_rate)
    norms = [(scale, shift, gradient[..., own]) for scale, shift, gradient in norms]
    total = _float32(upstream[..., own]) + _through_norms(_float32(new[..., own]), norms, constant, slope)
    return tf.cast(_dropout(total, seed, rate), new.dtype)


def _through_norms(x: tf.Tensor, norms: list[tuple], constant: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    total = constant + slope * x
    for scale, shift, gradient in norms:
        total += tf.where(x * scale + shift > 0, _float32(gradient) * scale, 0.0)
    return total


def channel_sum(x: tf.Tensor) -> tf.Tensor:
    """Return the sums over batch, height and width, (channels,)."""
    return tf.reduce_sum(tf.reshape(_sum(x), [-1, tf.shape(x)[3]]), 0)


@compiled
def _sum(x: tf.Tensor) -> tf.Tensor:
    return sum(_float32(slab) for slab in _slabs(x))


# ------------------------------------------------------------------------------------------- helpers


def elements(x: tf.Tensor) -> tf.Tensor:
    """Return the number of elements per channel, batch x height x width, as float32."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)


def _float32(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)


def _slabs(x: tf.Tensor) -> list[tf.Tensor]:
    """Split into `SLABS` slabs of equal shape (rows, width * channels), padded with zeros."""
    shape = tf.shape(x)
    rows = tf.reshape(x, [shape[0] * shape[1], shape[2] * shape[3]])
    rows = tf.pad(rows, [[0, -tf.shape(rows)[0] % SLABS], [0, 0]])
    return tf.unstack(tf.reshape(rows, [-1, SLABS, shape[2] * shape[3]]), axis=1)


def _finish_pair(sums: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Add up complex sums over `_slabs(x)`, and return the real and the imaginary totals, (channels,) each."""
    channels = tf.shape(x)[3]
    pairs = tf.reshape(tf.bitcast(sums, tf.float32), [-1, 2 * channels])
    totals = tf.reshape(tf.reduce_sum(pairs, 0), [channels, 2])
    return totals[:, 0], totals[:, 1]


def _dropout(x: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Apply dropout with a mask that only depends on `seed`, two uint32, and on an element's position.

    The mask's bits are a hash of the position by MurmurHash3's final steps (Appleby, 2011): not good enough for
    statistics, but for dropout, and far faster than TensorFlow's generators. The seeds are hashed first, because those
    of neighbouring layers and steps differ by little.
    """
    if rate == 0:
        return x
    key = _hash(seed[0] + _hash(seed[1]))
    position = tf.reshape(tf.cast(tf.range(tf.size(x)), tf.uint32), tf.shape(x))
    bits = _hash((position * _uint32(0x9E3779B1)) ^ key, _hash(key))
    return tf.where(bits >= _uint32(int(rate * 2**32)), x / (1 - rate), 0.0)


def _hash(bits: tf.Tensor, key: tf.Tensor | int = 0) -> tf.Tensor:
    """Return uint32 whose every bit depends on every bit of `bits`; each `key` is a different hash function."""

    def mixed(bits: tf.Tensor, shift: int) -> tf.Tensor:
        return bits ^ tf.bitwise.right_shift(bits, _uint32(shift))

    bits = mixed(bits, 16) * _uint32(0x85EBCA6B) + tf.cast(key, tf.uint32)
    return mixed(mixed(bits, 13) * _uint32(0xC2B2AE35), 16)


def _uint32(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
