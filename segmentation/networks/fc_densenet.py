"""FC-DenseNet: Jegou, Drozdzal, Vazquez, Romero, Bengio, "The One Hundred Layers Tiramisu", 2017; a lighter variant.

Each layer of a dense block sees the features of all layers before it, so none has to learn the same features again. On
the way down a block's input and new features become the skip connection; on the way up only a block's new features are
upsampled, because the number of channels would explode otherwise.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.dense_block import DenseBlock
from segmentation.networks.layers import preprocess, segmentation_head
from segmentation.networks.variants import choose_config


@dataclass(frozen=True)
class Config:
    """Hyperparameters of an FC-DenseNet variant."""

    growth_rate: int  # features that every layer adds
    down_layers: tuple[int, ...]  # number of layers of every dense block on the way down; the way up mirrors them
    bottleneck_layers: int
    first_filters: int = 48
    first_kernel_size: int = 3
    compression: float = 1.0  # share of the features that a transition down keeps
    pooling: str = "max"  # of a transition down: "max" or "average"
    dropout: float = 0.2


# 56, 67 and 103 are the paper's. "light" is for small hardware and not in the paper: it has a wide first convolution,
# transitions down that compress, and average pooling.
CONFIGS = {
    "light": Config(
        growth_rate=12,
        down_layers=(4,) * 5,
        bottleneck_layers=4,
        first_filters=36,
        first_kernel_size=7,
        compression=0.6,
        pooling="average",
        dropout=0.25,
    ),
    "56": Config(growth_rate=12, down_layers=(4,) * 5, bottleneck_layers=4),
    "67": Config(growth_rate=16, down_layers=(5,) * 5, bottleneck_layers=5),
    "103": Config(growth_rate=16, down_layers=(4, 5, 7, 10, 12), bottleneck_layers=15),
}


def fc_densenet(
    num_classes: int,
    *,
    variant: str = "light",
    groups: int | None = None,
    growth_rate: int | None = None,
    layers_per_block: int | None = None,
    dropout: float | None = None,
) -> keras.Model:
    """Build an FC-DenseNet: RGB images (batch, height, width, 3), 0..255, to logits (..., num_classes) float32.

    Works for any height and width. `groups` is the number of dense blocks on the way down (and on the way up); a
    transition that halves the size follows each. `None` keeps the variant's value. Trainable parameters with 11
    classes: 1,376,795 (56), 3,463,243 (67), 9,322,091 (103); with 13 classes 713,580 (light). Raise `UserError` for
    an unknown variant and for impossible values.
    """
    config = configure(variant, groups, growth_rate, layers_per_block, dropout)
    images = keras.Input((None, None, 3), name="images")
    x = preprocess(images, stride=2 ** len(config.down_layers))
    x = layers.Conv2D(
        config.first_filters,
        config.first_kernel_size,
        padding="same",
        kernel_initializer="he_uniform",
        name="first_convolution",
    )(x)

    skips = []
    for group, depth in enumerate(config.down_layers, 1):
        new = dense_block(x, depth, config, f"dense_down_{group}")
        x = layers.Concatenate(name=f"stack_down_{group}")([x, new])
        skips.append(x)
        x = transition_down(x, config, f"transition_down_{group}")

    new = dense_block(x, config.bottleneck_layers, config, "bottleneck")

    for group, depth in reversed([*enumerate(config.down_layers, 1)]):
        upsampled = transition_up(new, f"transition_up_{group}")
        x = layers.Concatenate(name=f"stack_up_{group}")([upsampled, skips.pop()])
        new = dense_block(x, depth, config, f"dense_up_{group}")

    x = layers.Concatenate(name="last_stack")([x, new])
    return keras.Model(images, segmentation_head(x, images, num_classes), name=f"fc_densenet_{variant}")


def configure(
    variant: str,
    groups: int | None = None,
    growth_rate: int | None = None,
    layers_per_block: int | None = None,
    dropout: float | None = None,
) -> Config:
    """Return the variant's config, changed by the given values; raise `UserError` for impossible ones."""
    for value, flag in (
        (groups, "groups"),
        (growth_rate, "growth-rate"),
        (layers_per_block, "layers-per-block"),
    ):
        if value is not None and value < 1:
            raise UserError(f"--{flag} is {value}; use 1 or more")
    if dropout is not None and not 0 <= dropout < 1:
        raise UserError(f"--dropout is {dropout}; use 0 (none) to below 1")
    config = choose_config("FC-DenseNet", CONFIGS, variant, growth_rate=growth_rate, dropout=dropout)
    depths = config.down_layers
    if groups is not None:
        depths = (depths + depths[-1:] * groups)[:groups]
    if layers_per_block is not None:
        depths = (layers_per_block,) * len(depths)
    return replace(config, down_layers=depths, bottleneck_layers=layers_per_block or config.bottleneck_layers)


def dense_block(x: Any, depth: int, config: Config, name: str) -> Any:
    """Return a dense block's new features, (batch, height, width, depth * growth_rate)."""
    return DenseBlock(depth, config.growth_rate, config.dropout, name=name)(x)


def transition_down(x: Any, config: Config, name: str) -> Any:
    """Apply batch norm, ReLU, 1x1 convolution and dropout, then 2x2 pooling, which halves the size."""
    filters = int(x.shape[-1] * config.compression)
    # All but the pooling is what one layer of a dense block does.
    x = DenseBlock(1, filters, config.dropout, kernel_size=1, name=f"{name}_layer")(x)
    pooling = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[config.pooling]
    return pooling(2, name=name)(x)


def transition_up(x: Any, name: str) -> Any:
    """Apply a 3x3 transposed convolution with stride 2, which doubles the size and keeps the number of channels."""
    return layers.Conv2DTranspose(
        x.shape[-1], 3, strides=2, padding="same", kernel_initializer="he_uniform", name=name
    )(x)
