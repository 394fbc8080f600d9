"""PSPNet: Zhao, Shi, Qi, Wang, Jia, "Pyramid Scene Parsing Network", 2017, on ResNet-50, and a lighter kin.

What a pixel is depends on what the scene is: the encoder's maps are averaged over the whole picture and over 2 x 2,
3 x 3 and 6 x 6 parts of it, and every pixel sees these averages beside its own maps. An auxiliary head on conv4
helps training along; inference does without it.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.choosing import choose, scaled
from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import (
    PACKAGE,
    AdaptiveAveragePooling,
    ResizeLike,
    class_scores,
    convolution_norm_relu,
    prepare_pictures,
)
from segmentation.networks.resnet import resnet50

OUTPUT_STRIDE = 8
BINS = (1, 2, 3, 6)


@dataclass(frozen=True)
class Variant:
    """What tells one PSPNet from another."""

    width: float  # times the maps of ResNet-50 and of the paper's heads
    dropout: float = 0.1  # share of whole maps


# "resnet50" is the paper's; its authors' later code has three 3x3 convolutions for the 7x7 one.
VARIANTS = {"light": Variant(5 / 32), "resnet50": Variant(1.0)}


def pspnet(
    classes: int,
    *,
    variant: str = "light",
    width: float | None = None,
    auxiliary: bool = True,
    encoder_weights: str | None = None,
) -> keras.Model:
    """Build a PSPNet: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width. `width` multiplies the paper's maps, `None` keeps the variant's. With the `auxiliary` head
    the network is an `AuxiliaryModel`. `encoder_weights`, "imagenet" or a path, is for "resnet50" alone, see
    `load_encoder_weights`. Trainable parameters of "resnet50" at 11 classes: 48,950,102, and 46,587,467 without the
    head. Raises `UserError` for values that no network can have.
    """
    shape = choose("PSPNet", VARIANTS, variant, width)
    pictures = keras.Input((None, None, 3), name="pictures")
    padded = prepare_pictures(pictures, stride=OUTPUT_STRIDE, mean=IMAGENET_MEAN)
    stages = resnet50(padded, output_stride=OUTPUT_STRIDE, width=shape.width)

    x = pyramid_pooling(stages["conv5"])
    x = convolution_norm_relu(x, scaled(512, shape.width), 3, name="fusion")
    x = layers.SpatialDropout2D(shape.dropout, name="fusion_dropout")(x)
    outputs = [class_scores(x, pictures, classes, padded=padded)]

    if auxiliary:
        x = convolution_norm_relu(stages["conv4"], scaled(256, shape.width), 3, name="auxiliary")
        x = layers.SpatialDropout2D(shape.dropout, name="auxiliary_dropout")(x)
        outputs.append(class_scores(x, pictures, classes, padded=padded, prefix="auxiliary_"))
        network = AuxiliaryModel(pictures, outputs, name=f"pspnet_{variant}")
    else:
        network = keras.Model(pictures, outputs[0], name=f"pspnet_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, "resnet50", encoder_weights)
    return network


def pyramid_pooling(x: Any) -> Any:
    """The maps and, beside them, their averages over 1, 4, 9 and 36 parts of the picture, as many maps together.

    The average over the whole picture keeps its batch norm, which some versions leave out; with batches of one
    picture that branch can learn nothing but a constant.
    """
    branches = [x]
    for bins in BINS:
        y = AdaptiveAveragePooling(bins, name=f"pool_{bins}")(x)
        y = convolution_norm_relu(y, x.shape[-1] // len(BINS), name=f"pool_{bins}")
        branches.append(ResizeLike(name=f"pool_{bins}_resized")([y, x]))
    return layers.Concatenate(name="pyramid")(branches)


@keras.saving.register_keras_serializable(PACKAGE)
class AuxiliaryModel(keras.Model):
    """A network of two outputs, (logits, auxiliary logits), the second of which counts in the training loss alone.

    Called with `training=True` it gives both, otherwise the logits alone: compile, `fit`, `evaluate` and `predict`
    as if there were one output. The file for inference is saved without the second.
    """

    AUXILIARY_WEIGHT = 0.4  # the paper's

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """(logits, auxiliary logits) in training, otherwise logits; each (batch, height, width, classes)."""
        logits, auxiliary = super().call(inputs, training=training, mask=mask)
        return (logits, auxiliary) if training else logits

    @property
    def output_shape(self) -> tuple:
        """(batch, height, width, classes) of the logits, unknown sizes None."""
        return tuple(self.outputs[0].shape)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss of the logits and, in training, 0.4 times that of the auxiliary logits."""
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        logits, auxiliary = y_pred
        loss = super().compute_loss(x, y, logits, sample_weight, training)
        return loss + self.AUXILIARY_WEIGHT * self._compile_loss(y, auxiliary, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """The compiled metrics, of the logits alone."""
        logits = y_pred[0] if isinstance(y_pred, tuple | list) else y_pred
        return super().compute_metrics(x, y, logits, sample_weight)
