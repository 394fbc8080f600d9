"""ENet: Paszke, Chaurasia, Kim, Culurciello, "A Deep Neural Network Architecture for Real-Time Segmentation", 2016.

Pictures are made small at once and most of the work is done at an eighth of their size, where dilated and
asymmetric convolutions see far for little. The encoder is large and the decoder small: it only sharpens.
Figures are from the authors' ENet-training, encoder.lua and decoder.lua.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from segmentation.networks.choosing import choose, scaled
from segmentation.networks.layers import batch_norm, logits, prepare_pictures
from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling


@dataclass(frozen=True)
class Variant:
    """What tells one ENet from another."""

    maps: tuple[int, int, int] = (16, 64, 128)  # at a half, a quarter and an eighth of the picture's size
    width: float = 1.0  # what every number of maps is multiplied by


# "light" is the paper's own too: a training step takes half as long as a light FC-DenseNet's or less, and half as
# many maps would be a quarter of the parameters for little more speed.
VARIANTS = {
    "light": Variant(),
    "paper": Variant(),
}


def enet(classes: int, *, variant: str = "light", width: float | None = None) -> keras.Model:
    """Build an ENet: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width. `width` multiplies every inner number of maps. Trainable parameters at 11 classes:
    363,791 (paper). Raises `UserError` for a variant or width that no network can have.
    """
    shape = choose("ENet", VARIANTS, variant, width)
    half, quarter, eighth = (scaled(number, shape.width, multiple=4) for number in shape.maps)

    pictures = keras.Input((None, None, 3), name="pictures")
    x = prepare_pictures(pictures, stride=8)
    x = initial_block(x, half)

    x, quarter_pool = bottleneck_down(x, quarter, "bottleneck_1_0", dropout=0.01)
    for number in range(1, 5):
        x = bottleneck(x, f"bottleneck_1_{number}", dropout=0.01)
    x, eighth_pool = bottleneck_down(x, eighth, "bottleneck_2_0", dropout=0.1)
    x = context_stage(x, 2)
    x = context_stage(x, 3)

    x = bottleneck_up(x, quarter, eighth_pool, "bottleneck_4_0")
    x = bottleneck(x, "bottleneck_4_1", dropout=0, activation=relu)
    x = bottleneck(x, "bottleneck_4_2", dropout=0, activation=relu)
    x = bottleneck_up(x, half, quarter_pool, "bottleneck_5_0")
    x = bottleneck(x, "bottleneck_5_1", dropout=0, activation=relu)
    scores = layers.Conv2DTranspose(classes, 2, strides=2, kernel_initializer="he_uniform", name="class_scores")(x)
    return keras.Model(pictures, logits(scores, pictures), name=f"enet_{variant}")


Activation = Callable[[Any, str], Any]  # maps and name to maps


def prelu(x: Any, name: str) -> Any:
    """The encoder's activation: a slope of its own for each map's negative values, at first Torch's 0.25."""
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2], name=name)(x)


def relu(x: Any, name: str) -> Any:
    """The decoder's activation."""
    return layers.ReLU(name=name)(x)


def initial_block(x: Any, maps: int) -> Any:
    """A strided convolution beside a pooling of the picture itself: half the size, `maps` maps."""
    # Strided 3x3 kernels, here and transposed on the way up, lie a pixel lower and further right than Torch's.
    convolved = conv(x, maps - x.shape[-1], 3, "initial_conv", strides=2)
    pooled = layers.MaxPooling2D(2, name="initial_pool")(x)
    x = layers.Concatenate(name="initial_concat")([convolved, pooled])
    return prelu(norm(x, "initial_norm"), "initial_prelu")


def context_stage(x: Any, stage: int) -> Any:
    """Stages 2 and 3 after their downsampling: eight bottlenecks that see ever wider, of the same size and maps."""
    x = bottleneck(x, f"bottleneck_{stage}_1")
    x = bottleneck(x, f"bottleneck_{stage}_2", dilation=2)
    x = bottleneck(x, f"bottleneck_{stage}_3", asymmetric=5)
    x = bottleneck(x, f"bottleneck_{stage}_4", dilation=4)
    x = bottleneck(x, f"bottleneck_{stage}_5")
    x = bottleneck(x, f"bottleneck_{stage}_6", dilation=8)
    x = bottleneck(x, f"bottleneck_{stage}_7", asymmetric=5)
    return bottleneck(x, f"bottleneck_{stage}_8", dilation=16)


def bottleneck(
    x: Any,
    name: str,
    *,
    dilation: int = 1,
    asymmetric: int | None = None,
    dropout: float = 0.1,
    activation: Activation = prelu,
) -> Any:
    """Regular, dilated or asymmetric bottleneck: what its branch found is added to the maps, which keep their shape.

    `asymmetric` is the length n of the pair of 1 x n and n x 1 convolutions that takes the 3x3's place.
    """
    branch = projection(x, x.shape[-1], name, activation)
    maps = branch.shape[-1]
    if asymmetric:
        branch = conv(branch, maps, (1, asymmetric), f"{name}_row", use_bias=False)
        branch = conv(branch, maps, (asymmetric, 1), f"{name}_column")
    else:
        branch = conv(branch, maps, 3, f"{name}_conv", dilation_rate=dilation)
    branch = activation(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, x.shape[-1], name, dropout)
    return activation(layers.Add(name=f"{name}_add")([x, branch]), name)


def bottleneck_down(x: Any, maps: int, name: str, *, dropout: float) -> tuple[Any, tuple[Any, Any]]:
    """Downsampling bottleneck: maps of half the size, and what `bottleneck_up` needs to undo its pooling."""
    branch = projection(x, maps, name, prelu, stride=2)
    branch = conv(branch, branch.shape[-1], 3, f"{name}_conv")
    branch = prelu(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, maps, name, dropout)

    pooled, indices = MaxPoolingWithIndices(name=f"{name}_pool")(x)
    # The new maps of the skip are zeros, not a convolution's: nothing to learn, and as many parameters as published.
    skip = ops.pad(pooled, [[0, 0], [0, 0], [0, 0], [0, maps - x.shape[-1]]])
    return prelu(layers.Add(name=f"{name}_add")([skip, branch]), name), (indices, x)


def bottleneck_up(x: Any, maps: int, pool: tuple[Any, Any], name: str) -> Any:
    """Upsampling bottleneck: maps of twice the size, the skip's put back where `pool` found its maxima."""
    branch = projection(x, maps, name, relu)
    branch = layers.Conv2DTranspose(
        branch.shape[-1], 3, strides=2, padding="same", kernel_initializer="he_normal", name=f"{name}_conv"
    )(branch)
    branch = relu(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, maps, name, dropout=0)

    skip = norm(conv(x, maps, 1, f"{name}_skip", use_bias=False), f"{name}_skip_norm")
    skip = MaxUnpooling(name=f"{name}_unpool")([skip, *pool])
    return relu(layers.Add(name=f"{name}_add")([skip, branch]), name)


def projection(x: Any, maps: int, name: str, activation: Activation, stride: int = 1) -> Any:
    """The way into a bottleneck of `maps` maps: a quarter of them, from 1x1 (2x2 where it strides) without bias."""
    x = conv(x, maps // 4, stride, f"{name}_projection", strides=stride, use_bias=False)
    return activation(norm(x, f"{name}_projection_norm"), f"{name}_projection_activation")


def expansion(x: Any, maps: int, name: str, dropout: float) -> Any:
    """The way out: 1x1 without bias, norm, spatial dropout; no activation before the addition."""
    x = norm(conv(x, maps, 1, f"{name}_expansion", use_bias=False), f"{name}_expansion_norm")
    return layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x) if dropout else x


def conv(x: Any, maps: int, size: int | tuple[int, int], name: str, **options: Any) -> Any:
    """A convolution that keeps the size but for its strides."""
    return layers.Conv2D(maps, size, padding="same", kernel_initializer="he_normal", name=name, **options)(x)


def norm(x: Any, name: str) -> Any:
    """Batch norm with the paper's epsilon."""
    return batch_norm(name, epsilon=1e-3)(x)
