"""U-Net: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015.

A contracting path doubles the maps as it halves the size; an expanding path undoes both, and at every level
sees the contracting path's maps of that level, which still know where things are.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segmentation.networks.choosing import choose, scaled
from segmentation.networks.layers import batch_norm, class_scores, prepare_pictures


@dataclass(frozen=True)
class Variant:
    """What tells one U-Net from another."""

    width: float = 1.0  # maps as a share of the paper's
    batch_norm: bool = False
    dropout: float = 0.5  # at the end of the contracting path


# The paper's has no batch norm; most of today's have. "light" is ours: a quarter of the maps.
VARIANTS = {
    "light": Variant(width=0.25, batch_norm=True, dropout=0.0),
    "paper": Variant(),
    "batch_norm": Variant(batch_norm=True),
}
MAPS = (64, 128, 256, 512, 1024)  # of every level, the paper's figure 1


def unet(classes: int, *, variant: str = "light", width: float | None = None) -> keras.Model:
    """Build a U-Net: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width: convolutions keep the size, where the paper's lose a border of two pixels each and
    its skip connections are cropped. Trainable parameters at 11 classes: 31,032,395 (paper), 31,044,171
    (batch_norm). `width` multiplies all maps; `None` keeps what the variant has. Raises `UserError` for values
    that no network can have.
    """
    shape = choose("U-Net", VARIANTS, variant, width)
    maps = [scaled(count, shape.width) for count in MAPS]
    pictures = keras.Input((None, None, 3), name="pictures")
    x = prepare_pictures(pictures, stride=2 ** (len(maps) - 1))

    skips = []
    for level, count in enumerate(maps[:-1], 1):
        x = two_convolutions(x, count, shape, f"down_{level}")
        if level == len(maps) - 1:
            x = layers.Dropout(shape.dropout, name=f"down_{level}_dropout")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down_{level}_pool")(x)

    x = two_convolutions(x, maps[-1], shape, "bottom")
    x = layers.Dropout(shape.dropout, name="bottom_dropout")(x)

    for level, count in reversed([*enumerate(maps[:-1], 1)]):
        x = layers.Conv2DTranspose(count, 2, strides=2, kernel_initializer="he_normal", name=f"up_{level}_up")(x)
        x = layers.Concatenate(name=f"up_{level}_concat")([skips.pop(), x])
        x = two_convolutions(x, count, shape, f"up_{level}")

    return keras.Model(pictures, class_scores(x, pictures, classes), name=f"unet_{variant}")


def two_convolutions(x: Any, maps: int, shape: Variant, name: str) -> Any:
    """Twice a 3x3 convolution and ReLU, with batch norm between them where the variant has it."""
    for number in (1, 2):
        x = layers.Conv2D(maps, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv_{number}")(x)
        if shape.batch_norm:
            x = batch_norm(f"{name}_norm_{number}")(x)
        x = layers.ReLU(name=f"{name}_relu_{number}")(x)
    return x
