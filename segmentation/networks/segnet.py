"""SegNet: Badrinarayanan, Kendall, Cipolla, "A Deep Convolutional Encoder-Decoder Architecture", PAMI 2017.

The encoder is VGG-16's thirteen convolutions, the decoder their mirror image. A decoder block spreads its maps to
the places where the encoder's pooling found its maxima, then fills the gaps between with its own convolutions.
Figures are from the authors' SegNet-Tutorial, segnet_train.prototxt.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.choosing import choose, scaled
from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import batch_norm, class_scores, prepare_pictures
from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling


@dataclass(frozen=True)
class Variant:
    """What tells one SegNet from another."""

    maps: tuple[int, ...] = (64, 128, 256, 512, 512)  # of every encoder block; the decoder mirrors them
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)  # of every block, on both ways
    width: float = 1.0  # what every number of maps is multiplied by


# "paper" is the paper's; "light" suits small hardware and is ours.
VARIANTS = {
    "light": Variant(width=3 / 16),
    "paper": Variant(),
}


def segnet(
    classes: int, *, variant: str = "light", width: float | None = None, encoder_weights: str | None = None
) -> keras.Model:
    """Build a SegNet: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width. `width` multiplies every inner number of maps. Trainable parameters at 11 classes:
    29,449,355 (paper). `encoder_weights`, "imagenet" or a path, is for "paper", see `load_encoder_weights`; the
    encoder's layers are named as in `keras.applications.VGG16`. Raises `UserError` for a variant or width that no
    network can have.
    """
    shape = choose("SegNet", VARIANTS, variant, width)
    maps = [scaled(number, shape.width) for number in shape.maps]
    blocks = [*enumerate(zip(maps, shape.convolutions, strict=True), 1)]

    pictures = keras.Input((None, None, 3), name="pictures")
    x = prepare_pictures(pictures, stride=2 ** len(blocks), mean=IMAGENET_MEAN)
    pooled = []
    for block, (filters, depth) in blocks:
        for number in range(1, depth + 1):
            x = convolution(x, filters, f"block{block}_conv{number}")
        before = x
        x, indices = MaxPoolingWithIndices(name=f"block{block}_pool")(before)
        pooled.append((indices, before))

    for block, (filters, depth) in reversed(blocks):
        x = MaxUnpooling(name=f"block{block}_unpool")([x, *pooled.pop()])
        for number in range(depth, 1, -1):
            x = convolution(x, filters, f"block{block}_decoder_conv{number}")
        if block > 1:  # the last convolution has as many maps as the block above begins with
            x = convolution(x, maps[block - 2], f"block{block}_decoder_conv1")
    # The topmost convolution is the classifier: 3x3, where most re-implementations add a 1x1.
    network = keras.Model(pictures, class_scores(x, pictures, classes, kernel_size=3), name=f"segnet_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, "vgg16", encoder_weights)
    return network


def convolution(x: Any, filters: int, name: str) -> Any:
    """3x3 convolution, batch norm and ReLU; the bias, idle before a norm, is in the authors' definition."""
    x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=name)(x)
    x = batch_norm(f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
