"""DeepLabv3+: Chen, Zhu, Papandreou, Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for Semantic
Image Segmentation", 2018, on Xception-65 or ResNet-50, and a lighter kin.

Atrous spatial pyramid pooling looks at the encoder's maps through 3x3 kernels of several dilations at once, so things
of several sizes are seen whole; a small decoder sharpens the outlines with maps of stride 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.choosing import choose, scaled
from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import (
    ResizeLike,
    class_scores,
    convolution_norm_relu,
    prepare_pictures,
    separable_convolution,
)
from segmentation.networks.resnet import resnet50
from segmentation.networks.xception import xception65

ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}  # by output stride


@dataclass(frozen=True)
class Variant:
    """What tells one DeepLabv3+ from another."""

    encoder: str  # "xception" or "resnet50"
    width: float  # times the maps of the encoder, of ASPP and of the decoder
    dropout: float = 0.1

    @property
    def convolution(self) -> Callable:
        """The 3x3 convolution of ASPP and decoder: separable with Xception, as in the paper, else dense."""
        return separable_convolution if self.encoder == "xception" else dense_convolution


# "xception65" is the paper's best; "resnet50" has all of conv5, and dense 3x3 kernels; "light" is a narrow "resnet50".
VARIANTS = {
    "light": Variant("resnet50", 3 / 16),
    "resnet50": Variant("resnet50", 1.0),
    "xception65": Variant("xception", 1.0),
}


def deeplabv3plus(
    classes: int,
    *,
    variant: str = "light",
    width: float | None = None,
    output_stride: int = 16,
    encoder_weights: str | None = None,
) -> keras.Model:
    """Build a DeepLabv3+: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width. `width` multiplies the paper's maps, `None` keeps the variant's. `output_stride` 16 or 8:
    how much smaller than the picture the encoder's last maps are; 8 costs several times as much. `encoder_weights`,
    "imagenet" or a path, is for "resnet50" and "xception65", see `load_encoder_weights`. Trainable parameters at
    11 classes: 41,052,843 (xception65), 40,349,611 (resnet50). Raises `UserError` for values that no network can have.
    """
    shape = choose("DeepLabv3+", VARIANTS, variant, width)
    if output_stride not in ASPP_RATES:
        raise UserError(f"output stride is {output_stride}; use 16, or 8 for finer maps")
    pictures = keras.Input((None, None, 3), name="pictures")
    mean = IMAGENET_MEAN if shape.encoder == "resnet50" else None
    padded = prepare_pictures(pictures, stride=output_stride, mean=mean)
    low_level, x = encode(padded, shape, output_stride)

    x = atrous_spatial_pyramid_pooling(x, ASPP_RATES[output_stride], shape)
    x = decode(x, low_level, shape)

    network = keras.Model(pictures, class_scores(x, pictures, classes, padded=padded), name=f"deeplabv3plus_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, shape.encoder, encoder_weights)
    return network


def encode(x: Any, shape: Variant, output_stride: int) -> tuple[Any, Any]:
    """The encoder's maps at stride 4 and its last."""
    if shape.encoder == "xception":
        stages = xception65(x, output_stride=output_stride, width=shape.width)
        return stages["low_level"], stages["exit"]
    stages = resnet50(x, output_stride=output_stride, width=shape.width)
    return stages["conv2"], stages["conv5"]


def dense_convolution(x: Any, maps: int, *, name: str, dilation: int = 1) -> Any:
    """A 3x3 convolution, batch norm and ReLU."""
    return convolution_norm_relu(x, maps, 3, name=name, dilation=dilation)


def atrous_spatial_pyramid_pooling(x: Any, rates: tuple[int, ...], shape: Variant) -> Any:
    """A 1x1 convolution, dilated 3x3 ones and the picture's mean, side by side, brought together by a 1x1.

    With batches of one picture the mean's branch can learn nothing but a constant: its batch norm sees one value.
    """
    maps = scaled(256, shape.width)
    branches = [convolution_norm_relu(x, maps, name="aspp_1")]
    for rate in rates:
        branches.append(shape.convolution(x, maps, dilation=rate, name=f"aspp_{rate}"))
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = convolution_norm_relu(mean, maps, name="aspp_mean")
    branches.append(ResizeLike(name="aspp_mean_resized")([mean, x]))
    x = layers.Concatenate(name="aspp")(branches)
    x = convolution_norm_relu(x, maps, name="aspp_projection")
    return layers.Dropout(shape.dropout, name="aspp_dropout")(x)


def decode(x: Any, low_level: Any, shape: Variant) -> Any:
    """Enlarge to the low-level maps' size, join a few of these, and refine by two 3x3 convolutions."""
    low_level = convolution_norm_relu(low_level, scaled(48, shape.width), name="low_level")
    x = ResizeLike(name="aspp_resized")([x, low_level])
    x = layers.Concatenate(name="decoder")([x, low_level])
    for index in (1, 2):
        x = shape.convolution(x, scaled(256, shape.width), name=f"decoder_{index}")
    return x
