"""U-Net: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015.

A contracting path halves the size and doubles the number of channels at every level; an expanding path does the
opposite. Skip connections give every level of the expanding path the features of the same level of the contracting
path, which are still precisely located.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.layers import batch_norm, preprocess, segmentation_head
from segmentation.networks.variants import choose_config, scale_filters


@dataclass(frozen=True)
class Config:
    """Hyperparameters of a U-Net variant."""

    width: float = 1.0  # factor on the paper's numbers of filters
    batch_norm: bool = False
    dropout: float = 0.5  # at the end of the contracting path


# The paper's has no batch norm; most current implementations do. "light" is not from the paper.
CONFIGS = {
    "light": Config(width=0.25, batch_norm=True, dropout=0.0),
    "paper": Config(),
    "batch_norm": Config(batch_norm=True),
}
FILTERS = (64, 128, 256, 512, 1024)  # of every level, the paper's figure 1


def unet(num_classes: int, *, variant: str = "light", width: float | None = None) -> keras.Model:
    """Build a U-Net: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width: convolutions keep the size, while the paper's lose a border of two pixels each and
    its skip connections are cropped. `width` multiplies all numbers of filters; `None` keeps the variant's value.
    Trainable parameters with 11 classes: 31,032,395 (paper), 31,044,171 (batch_norm). Raise `UserError` for an
    unknown variant and for impossible values.
    """
    config = choose_config("U-Net", CONFIGS, variant, width)
    *filters, bottom_filters = (scale_filters(number, config.width) for number in FILTERS)
    images = keras.Input((None, None, 3), name="images")
    x = preprocess(images, stride=2 ** len(filters))

    skips = []
    for level, number in enumerate(filters, 1):
        x = two_convolutions(x, number, config, f"down_{level}")
        if level == len(filters):
            x = layers.Dropout(config.dropout, name=f"down_{level}_dropout")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down_{level}_pool")(x)

    x = two_convolutions(x, bottom_filters, config, "bottom")
    x = layers.Dropout(config.dropout, name="bottom_dropout")(x)

    for level, number in reversed([*enumerate(filters, 1)]):
        x = layers.Conv2DTranspose(number, 2, strides=2, kernel_initializer="he_normal", name=f"up_{level}_up")(x)
        x = layers.Concatenate(name=f"up_{level}_concat")([skips.pop(), x])
        x = two_convolutions(x, number, config, f"up_{level}")

    return keras.Model(images, segmentation_head(x, images, num_classes), name=f"unet_{variant}")


def two_convolutions(x: Any, filters: int, config: Config, name: str) -> Any:
    """Apply a 3x3 convolution, batch norm if the variant has it, and ReLU; then the same again."""
    for number in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv_{number}")(x)
        if config.batch_norm:
            x = batch_norm(f"{name}_norm_{number}")(x)
        x = layers.ReLU(name=f"{name}_relu_{number}")(x)
    return x
