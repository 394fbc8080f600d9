"""FC-DenseNet: Jegou, Drozdzal, Vazquez, Romero, Bengio, "The One Hundred Layers Tiramisu", 2017, and a lighter kin.

A dense block's layers each see all maps before them: what one layer finds need not be found again. On
the way down whole stacks are handed across as skip connections; on the way up only a block's new maps
are upsampled, or the number of maps would explode.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.choosing import choose
from segmentation.networks.dense_block import DenseBlock
from segmentation.networks.layers import class_scores, prepare_pictures


@dataclass(frozen=True)
class Variant:
    """What tells one FC-DenseNet from another."""

    growth_rate: int  # new maps of every layer
    down_layers: tuple[int, ...]  # layers of every dense block on the way down; the way up mirrors them
    bottleneck_layers: int
    first_maps: int = 48
    first_kernel: int = 3
    compression: float = 1.0  # share of the maps that a transition down keeps
    pooling: str = "max"  # of a transition down: "max" or "average"
    dropout: float = 0.2


# 56, 67 and 103 are the paper's; "light" suits small hardware and is none of the paper's: a wide first
# convolution, transitions down that compress, and average pooling.
VARIANTS = {
    "light": Variant(12, (4,) * 5, 4, 36, 7, compression=0.6, pooling="average", dropout=0.25),
    "56": Variant(12, (4,) * 5, 4),
    "67": Variant(16, (5,) * 5, 5),
    "103": Variant(16, (4, 5, 7, 10, 12), 15),
}


def fc_densenet(
    classes: int,
    *,
    variant: str = "light",
    groups: int | None = None,
    growth_rate: int | None = None,
    layers_per_block: int | None = None,
    dropout: float | None = None,
) -> keras.Model:
    """Build an FC-DenseNet: RGB pictures (batch, height, width, 3), 0..255, to logits (..., classes) float32.

    Any height and width. `groups` dense blocks on the way down (and as many up), each followed by a transition
    that halves the size. `None` keeps what the variant has. Trainable parameters at 11 classes: 1,376,795
    (56), 3,463,243 (67), 9,322,091 (103); at 13 classes 713,580 (light). Raises `UserError` for values
    that no network can have.
    """
    shape = choose_variant(variant, groups, growth_rate, layers_per_block, dropout)
    pictures = keras.Input((None, None, 3), name="pictures")
    x = prepare_pictures(pictures, stride=2 ** len(shape.down_layers))
    x = layers.Conv2D(
        shape.first_maps, shape.first_kernel, padding="same", kernel_initializer="he_uniform", name="first_convolution"
    )(x)

    skips = []
    for group, depth in enumerate(shape.down_layers, 1):
        new = dense_block(x, depth, shape, f"dense_down_{group}")
        x = layers.Concatenate(name=f"stack_down_{group}")([x, new])
        skips.append(x)
        x = transition_down(x, shape, f"transition_down_{group}")

    new = dense_block(x, shape.bottleneck_layers, shape, "bottleneck")

    for group, depth in reversed([*enumerate(shape.down_layers, 1)]):
        upsampled = transition_up(new, f"transition_up_{group}")
        x = layers.Concatenate(name=f"stack_up_{group}")([upsampled, skips.pop()])
        new = dense_block(x, depth, shape, f"dense_up_{group}")

    x = layers.Concatenate(name="last_stack")([x, new])
    return keras.Model(pictures, class_scores(x, pictures, classes), name=f"fc_densenet_{variant}")


def choose_variant(
    name: str,
    groups: int | None = None,
    growth_rate: int | None = None,
    layers_per_block: int | None = None,
    dropout: float | None = None,
) -> Variant:
    """The named variant with the given values in place of its own; raises `UserError` for impossible ones."""
    for value, what in (
        (groups, "groups"),
        (growth_rate, "growth rate"),
        (layers_per_block, "layers per block"),
    ):
        if value is not None and value < 1:
            raise UserError(f"{what} is {value}; use 1 or more")
    if dropout is not None and not 0 <= dropout < 1:
        raise UserError(f"dropout is {dropout}; use 0 (none) to below 1")
    variant = choose("FC-DenseNet", VARIANTS, name, growth_rate=growth_rate, dropout=dropout)
    depths = variant.down_layers
    if groups is not None:
        depths = (depths + depths[-1:] * groups)[:groups]
    if layers_per_block is not None:
        depths = (layers_per_block,) * len(depths)
    return replace(variant, down_layers=depths, bottleneck_layers=layers_per_block or variant.bottleneck_layers)


def dense_block(x: Any, depth: int, shape: Variant, name: str) -> Any:
    """The new maps of a dense block, (batch, height, width, depth * growth_rate)."""
    return DenseBlock(depth, shape.growth_rate, shape.dropout, name=name)(x)


def transition_down(x: Any, shape: Variant, name: str) -> Any:
    """Batch norm, ReLU, 1x1 convolution and dropout, which is a dense block's layer, and 2x2 pooling: half the size."""
    maps = int(x.shape[-1] * shape.compression)
    x = DenseBlock(1, maps, shape.dropout, kernel_size=1, name=f"{name}_layer")(x)
    pooling = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[shape.pooling]
    return pooling(2, name=name)(x)


def transition_up(x: Any, name: str) -> Any:
    """A 3x3 transposed convolution with stride 2: twice the size, as many maps."""
    return layers.Conv2DTranspose(
        x.shape[-1], 3, strides=2, padding="same", kernel_initializer="he_uniform", name=name
    )(x)
