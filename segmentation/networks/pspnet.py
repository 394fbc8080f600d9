"""PSPNet: Zhao, Shi, Qi, Wang, Jia, "Pyramid Scene Parsing Network", 2017, on ResNet-50, and a lighter variant.

The class of a pixel depends on the scene: the encoder's features are averaged over the whole image and over 2 x 2,
3 x 3 and 6 x 6 parts of it, and every pixel sees these averages beside its own features. An auxiliary head on conv4
helps in training; inference does not use it.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights
from segmentation.networks.layers import (
    PACKAGE,
    AdaptiveAveragePooling,
    ResizeLike,
    convolution_norm_relu,
    preprocess,
    segmentation_head,
)
from segmentation.networks.resnet import resnet50
from segmentation.networks.variants import choose_config, scale_filters

OUTPUT_STRIDE = 8
BINS = (1, 2, 3, 6)


@dataclass(frozen=True)
class Config:
    """Hyperparameters of a PSPNet variant."""

    width: float  # factor on the numbers of filters of ResNet-50 and of the paper's heads
    dropout: float = 0.1  # share of whole channels


# "resnet50" is the paper's, with ResNet's 7x7 convolution, which the authors' later code replaces by three 3x3.
CONFIGS = {"light": Config(width=5 / 32), "resnet50": Config(width=1.0)}


def pspnet(
    num_classes: int,
    *,
    variant: str = "light",
    width: float | None = None,
    auxiliary: bool = True,
    encoder_weights: str | None = None,
) -> keras.Model:
    """Build a PSPNet: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width. `width` multiplies all numbers of filters; `None` keeps the variant's value. With
    the `auxiliary` head the network is an `AuxiliaryModel`. `encoder_weights`, "imagenet" or a path, is for "resnet50"
    only, see `load_encoder_weights`. Trainable parameters of "resnet50" with 11 classes: 48,950,102, and 46,587,467
    without the auxiliary head. Raise `UserError` for an unknown variant and for impossible values.
    """
    config = choose_config("PSPNet", CONFIGS, variant, width)
    images = keras.Input((None, None, 3), name="images")
    padded = preprocess(images, stride=OUTPUT_STRIDE, mean=IMAGENET_MEAN)
    stages = resnet50(padded, output_stride=OUTPUT_STRIDE, width=config.width)

    x = pyramid_pooling(stages["conv5"])
    x = convolution_norm_relu(x, scale_filters(512, config.width), 3, name="fusion")
    x = layers.SpatialDropout2D(config.dropout, name="fusion_dropout")(x)
    outputs = [segmentation_head(x, images, num_classes, padded=padded)]

    if auxiliary:
        x = convolution_norm_relu(stages["conv4"], scale_filters(256, config.width), 3, name="auxiliary")
        x = layers.SpatialDropout2D(config.dropout, name="auxiliary_dropout")(x)
        outputs.append(segmentation_head(x, images, num_classes, padded=padded, prefix="auxiliary_"))
        network = AuxiliaryModel(images, outputs, name=f"pspnet_{variant}")
    else:
        network = keras.Model(images, outputs[0], name=f"pspnet_{variant}")
    if encoder_weights is not None:
        load_encoder_weights(network, "resnet50", encoder_weights)
    return network


def pyramid_pooling(x: Any) -> Any:
    """Append averages over 1, 4, 9 and 36 parts of the image to the features, which doubles the number of channels.

    The average over the whole image keeps its batch norm, which some implementations leave out. With batches of one
    image that branch can only learn a constant.
    """
    branches = [x]
    for bins in BINS:
        y = AdaptiveAveragePooling(bins, name=f"pool_{bins}")(x)
        y = convolution_norm_relu(y, x.shape[-1] // len(BINS), name=f"pool_{bins}")
        branches.append(ResizeLike(name=f"pool_{bins}_resized")([y, x]))
    return layers.Concatenate(name="pyramid")(branches)


@keras.saving.register_keras_serializable(PACKAGE)
class AuxiliaryModel(keras.Model):
    """A network with two outputs, (logits, auxiliary logits); the second only adds to the training loss.

    Called with `training=True` it returns both, otherwise only the logits: use compile, `fit`, `evaluate` and `predict`
    as with one output. The file for inference is saved without the auxiliary head.
    """

    AUXILIARY_WEIGHT = 0.4  # the paper's

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return (logits, auxiliary logits) in training, else the logits; each (batch, height, width, num_classes)."""
        logits, auxiliary = super().call(inputs, training=training, mask=mask)
        return (logits, auxiliary) if training else logits

    @property
    def output_shape(self) -> tuple:
        """(batch, height, width, num_classes) of the logits; unknown sizes are None."""
        return tuple(self.outputs[0].shape)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the compiled loss of the logits plus, in training, 0.4 times that of the auxiliary logits."""
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        logits, auxiliary = y_pred
        loss = super().compute_loss(x, y, logits, sample_weight, training)
        return loss + self.AUXILIARY_WEIGHT * self._compile_loss(y, auxiliary, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """Return the compiled metrics of the logits, without the auxiliary ones."""
        logits = y_pred[0] if isinstance(y_pred, tuple | list) else y_pred
        return super().compute_metrics(x, y, logits, sample_weight)
