"""SegNet: Badrinarayanan, Kendall, Cipolla, "A Deep Convolutional Encoder-Decoder Architecture", PAMI 2017.

The encoder has the thirteen convolutions of VGG-16, the decoder is its mirror image. A decoder block puts its features
back where the encoder's pooling found the maxima, then fills the gaps with learned convolutions. Numbers are from the
authors' SegNet-Tutorial, segnet_train.prototxt.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import batch_norm, preprocess, segmentation_head
from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling
from segmentation.networks.variants import choose_config, scale_filters


@dataclass(frozen=True)
class Config:
    """Hyperparameters of a SegNet variant."""

    filters: tuple[int, ...] = (64, 128, 256, 512, 512)  # of every encoder block; the decoder mirrors them
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)  # of every block, in the encoder and in the decoder
    width: float = 1.0  # factor on all numbers of filters


# "light" is for small hardware and not from the paper.
CONFIGS = {
    "light": Config(width=3 / 16),
    "paper": Config(),
}


def segnet(
    num_classes: int, *, variant: str = "light", width: float | None = None, encoder_weights: str | None = None
) -> keras.Model:
    """Build a SegNet: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width. `width` multiplies all numbers of filters; `None` keeps the variant's value.
    `encoder_weights`, "imagenet" or a path, is for "paper" only, see `load_encoder_weights`; the encoder's layers have
    the names of `keras.applications.VGG16`. Trainable parameters with 11 classes: 29,449,355 (paper). Raises
    `UserError` for an unknown variant and for impossible values.
    """
    config = choose_config("SegNet", CONFIGS, variant, width)
    filters = [scale_filters(number, config.width) for number in config.filters]
    blocks = [*enumerate(zip(filters, config.convolutions, strict=True), 1)]

    images = keras.Input((None, None, 3), name="images")
    x = preprocess(images, stride=2 ** len(blocks), mean=IMAGENET_MEAN)
    pooled = []
    for block, (block_filters, depth) in blocks:
        for number in range(1, depth + 1):
            x = convolution(x, block_filters, f"block{block}_conv{number}")
        before = x
        x, indices = MaxPoolingWithIndices(name=f"block{block}_pool")(before)
        pooled.append((indices, before))

    for block, (block_filters, depth) in reversed(blocks):
        x = MaxUnpooling(name=f"block{block}_unpool")([x, *pooled.pop()])
        for number in range(depth, 1, -1):
            x = convolution(x, block_filters, f"block{block}_decoder_conv{number}")
        if block > 1:  # the last convolution has the number of filters of the next decoder block
            x = convolution(x, filters[block - 2], f"block{block}_decoder_conv1")
    # The last 3x3 convolution of the decoder is the classifier; most other implementations add a 1x1 convolution.
    network = keras.Model(images, segmentation_head(x, images, num_classes, kernel_size=3), name=f"segnet_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, "vgg16", encoder_weights)
    return network


def convolution(x: Any, filters: int, name: str) -> Any:
    """Apply a 3x3 convolution, batch norm and ReLU; the bias has no effect before a norm, but the authors have it."""
    x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=name)(x)
    x = batch_norm(f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
