"""ENet: Paszke, Chaurasia, Kim, Culurciello, "A Deep Neural Network Architecture for Real-Time Segmentation", 2016.

Images are downsampled early and most layers work at an eighth of their size, where dilated and asymmetric convolutions
see far at low cost. The encoder is large; the decoder is small and only refines the outlines. Numbers are from the
authors' ENet-training, encoder.lua and decoder.lua.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from segmentation.networks.layers import batch_norm, logits, preprocess
from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling
from segmentation.networks.variants import choose_config, scale_filters


@dataclass(frozen=True)
class Config:
    """Hyperparameters of an ENet variant."""

    filters: tuple[int, int, int] = (16, 64, 128)  # at a half, a quarter and an eighth of the image's size
    width: float = 1.0  # factor on all numbers of filters


# "light" equals the paper's: its training step takes at most half as long as that of the light FC-DenseNet, and half
# the filters would leave a quarter of the parameters and hardly be faster.
CONFIGS = {
    "light": Config(),
    "paper": Config(),
}


def enet(num_classes: int, *, variant: str = "light", width: float | None = None) -> keras.Model:
    """Build an ENet: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width. `width` multiplies all numbers of filters; `None` keeps the variant's value.
    Trainable parameters with 11 classes: 363,791 (paper). Raise `UserError` for an unknown variant and for impossible
    values.
    """
    config = choose_config("ENet", CONFIGS, variant, width)
    half, quarter, eighth = (scale_filters(number, config.width, multiple=4) for number in config.filters)

    images = keras.Input((None, None, 3), name="images")
    x = preprocess(images, stride=8)
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
    scores = layers.Conv2DTranspose(num_classes, 2, strides=2, kernel_initializer="he_uniform", name="class_scores")(x)
    return keras.Model(images, logits(scores, images), name=f"enet_{variant}")


Activation = Callable[[Any, str], Any]  # features and layer name to features


def prelu(x: Any, name: str) -> Any:
    """Apply the encoder's activation: PReLU with one slope per channel, which starts at Torch's 0.25."""
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2], name=name)(x)


def relu(x: Any, name: str) -> Any:
    """Apply the decoder's activation."""
    return layers.ReLU(name=name)(x)


def initial_block(x: Any, filters: int) -> Any:
    """Concatenate a strided convolution and a pooling of the image: half the size, `filters` channels."""
    # Strided 3x3 kernels, here and transposed in `bottleneck_up`, lie a pixel lower and further right than Torch's.
    convolved = conv(x, filters - x.shape[-1], 3, "initial_conv", strides=2)
    pooled = layers.MaxPooling2D(2, name="initial_pool")(x)
    x = layers.Concatenate(name="initial_concat")([convolved, pooled])
    return prelu(norm(x, "initial_norm"), "initial_prelu")


def context_stage(x: Any, stage: int) -> Any:
    """Apply stage 2 or 3 without its downsampling: eight bottlenecks with a growing field of view, same shape."""
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
    """Apply a regular, dilated or asymmetric bottleneck: its branch is added to the features, which keep their shape.

    `asymmetric` is the length n of the 1 x n and n x 1 convolutions that replace the 3x3 one.
    """
    branch = projection(x, x.shape[-1], name, activation)
    filters = branch.shape[-1]
    if asymmetric:
        branch = conv(branch, filters, (1, asymmetric), f"{name}_row", use_bias=False)
        branch = conv(branch, filters, (asymmetric, 1), f"{name}_column")
    else:
        branch = conv(branch, filters, 3, f"{name}_conv", dilation_rate=dilation)
    branch = activation(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, x.shape[-1], name, dropout)
    return activation(layers.Add(name=f"{name}_add")([x, branch]), name)


def bottleneck_down(x: Any, filters: int, name: str, *, dropout: float) -> tuple[Any, tuple[Any, Any]]:
    """Apply a downsampling bottleneck; return features of half the size, and the `pool` argument of `bottleneck_up`."""
    branch = projection(x, filters, name, prelu, stride=2)
    branch = conv(branch, branch.shape[-1], 3, f"{name}_conv")
    branch = prelu(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, filters, name, dropout)

    pooled, indices = MaxPoolingWithIndices(name=f"{name}_pool")(x)
    # The skip's new channels are zeros instead of a convolution: this gives the published number of parameters.
    skip = ops.pad(pooled, [[0, 0], [0, 0], [0, 0], [0, filters - x.shape[-1]]])
    return prelu(layers.Add(name=f"{name}_add")([skip, branch]), name), (indices, x)


def bottleneck_up(x: Any, filters: int, pool: tuple[Any, Any], name: str) -> Any:
    """Apply an upsampling bottleneck: twice the size, with the skip's values put back where `pool` found its maxima."""
    branch = projection(x, filters, name, relu)
    branch = layers.Conv2DTranspose(
        branch.shape[-1], 3, strides=2, padding="same", kernel_initializer="he_normal", name=f"{name}_conv"
    )(branch)
    branch = relu(norm(branch, f"{name}_conv_norm"), f"{name}_conv_activation")
    branch = expansion(branch, filters, name, dropout=0)

    skip = norm(conv(x, filters, 1, f"{name}_skip", use_bias=False), f"{name}_skip_norm")
    skip = MaxUnpooling(name=f"{name}_unpool")([skip, *pool])
    return relu(layers.Add(name=f"{name}_add")([skip, branch]), name)


def projection(x: Any, filters: int, name: str, activation: Activation, stride: int = 1) -> Any:
    """Reduce to a quarter of a bottleneck's `filters` by a 1x1 convolution (2x2 if strided) without bias."""
    x = conv(x, filters // 4, stride, f"{name}_projection", strides=stride, use_bias=False)
    return activation(norm(x, f"{name}_projection_norm"), f"{name}_projection_activation")


def expansion(x: Any, filters: int, name: str, dropout: float) -> Any:
    """Apply a 1x1 convolution without bias, norm and spatial dropout; the activation follows the addition."""
    x = norm(conv(x, filters, 1, f"{name}_expansion", use_bias=False), f"{name}_expansion_norm")
    return layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x) if dropout else x


def conv(x: Any, filters: int, kernel_size: int | tuple[int, int], name: str, **options: Any) -> Any:
    """Apply a convolution with padding "same"."""
    return layers.Conv2D(filters, kernel_size, padding="same", kernel_initializer="he_normal", name=name, **options)(x)


def norm(x: Any, name: str) -> Any:
    """Apply batch norm with the paper's epsilon."""
    return batch_norm(name, epsilon=1e-3)(x)
