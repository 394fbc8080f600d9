"""DeepLabv3+ on Xception-65 or ResNet-50, and a lighter variant.

Chen, Zhu, Papandreou, Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
Segmentation", 2018.

Atrous spatial pyramid pooling (ASPP) applies 3x3 kernels with several dilations to the encoder's features, so that it
sees objects of different sizes as a whole; a small decoder sharpens the outlines with features of stride 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import (
    ResizeLike,
    convolution_norm_relu,
    preprocess,
    segmentation_head,
    separable_convolution,
)
from segmentation.networks.resnet import resnet50
from segmentation.networks.variants import choose_config, scale_filters
from segmentation.networks.xception import xception65

ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}  # dilations by output stride


@dataclass(frozen=True)
class Config:
    """Hyperparameters of a DeepLabv3+ variant."""

    encoder: str  # "xception" or "resnet50"
    width: float  # factor on the numbers of filters of encoder, ASPP and decoder
    dropout: float = 0.1

    @property
    def convolution(self) -> Callable[..., Any]:
        """The 3x3 convolution of ASPP and decoder: separable with Xception, as in the paper, else dense."""
        return separable_convolution if self.encoder == "xception" else dense_convolution


# "xception65" is the paper's best. "resnet50" has all of conv5, and dense 3x3 kernels. "light" is a narrow "resnet50".
CONFIGS = {
    "light": Config("resnet50", width=3 / 16),
    "resnet50": Config("resnet50", width=1.0),
    "xception65": Config("xception", width=1.0),
}


def deeplabv3plus(
    num_classes: int,
    *,
    variant: str = "light",
    width: float | None = None,
    output_stride: int = 16,
    encoder_weights: str | None = None,
) -> keras.Model:
    """Build a DeepLabv3+: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width. `width` multiplies all numbers of filters; `None` keeps the variant's value.
    `output_stride`, 16 or 8, is the image's size divided by that of the encoder's last features; 8 is several times as
    expensive. `encoder_weights`, "imagenet" or a path, is for "resnet50" and "xception65" only, see
    `load_encoder_weights`. Trainable parameters with 11 classes: 41,052,843 (xception65), 40,349,611 (resnet50). Raises
    `UserError` for an unknown variant and for impossible values.
    """
    config = choose_config("DeepLabv3+", CONFIGS, variant, width)
    if output_stride not in ASPP_RATES:
        raise UserError(f"output stride is {output_stride}; use 16, or 8 for finer features")
    images = keras.Input((None, None, 3), name="images")
    mean = IMAGENET_MEAN if config.encoder == "resnet50" else None
    padded = preprocess(images, stride=output_stride, mean=mean)
    low_level, x = encode(padded, config, output_stride)

    x = atrous_spatial_pyramid_pooling(x, ASPP_RATES[output_stride], config)
    x = decode(x, low_level, config)

    logits = segmentation_head(x, images, num_classes, padded=padded)
    network = keras.Model(images, logits, name=f"deeplabv3plus_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, config.encoder, encoder_weights)
    return network


def encode(x: Any, config: Config, output_stride: int) -> tuple[Any, Any]:
    """Return the encoder's features at stride 4 and its last features."""
    if config.encoder == "xception":
        stages = xception65(x, output_stride=output_stride, width=config.width)
        return stages["low_level"], stages["exit"]
    stages = resnet50(x, output_stride=output_stride, width=config.width)
    return stages["conv2"], stages["conv5"]


def dense_convolution(x: Any, filters: int, *, name: str, dilation: int = 1) -> Any:
    """Apply a 3x3 convolution, batch norm and ReLU."""
    return convolution_norm_relu(x, filters, 3, name=name, dilation=dilation)


def atrous_spatial_pyramid_pooling(x: Any, rates: tuple[int, ...], config: Config) -> Any:
    """Concatenate a 1x1 convolution, dilated 3x3 ones and the image's mean, and combine them by a 1x1 convolution.

    With batches of one image the mean's branch can only learn a constant: its batch norm sees one value per channel.
    """
    filters = scale_filters(256, config.width)
    branches = [convolution_norm_relu(x, filters, name="aspp_1")]
    for rate in rates:
        branches.append(config.convolution(x, filters, dilation=rate, name=f"aspp_{rate}"))
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = convolution_norm_relu(mean, filters, name="aspp_mean")
    branches.append(ResizeLike(name="aspp_mean_resized")([mean, x]))
    x = layers.Concatenate(name="aspp")(branches)
    x = convolution_norm_relu(x, filters, name="aspp_projection")
    return layers.Dropout(config.dropout, name="aspp_dropout")(x)


def decode(x: Any, low_level: Any, config: Config) -> Any:
    """Resize to the low-level features' size, concatenate a projection of these, and apply two 3x3 convolutions."""
    low_level = convolution_norm_relu(low_level, scale_filters(48, config.width), name="low_level")
    x = ResizeLike(name="aspp_resized")([x, low_level])
    x = layers.Concatenate(name="decoder")([x, low_level])
    for index in (1, 2):
        x = config.convolution(x, scale_filters(256, config.width), name=f"decoder_{index}")
    return x
