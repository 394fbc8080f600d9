"""The modified aligned Xception-65, an encoder of DeepLabv3+.

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017, as changed in Chen, Zhu, Papandreou,
Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", 2018, figure 4:
16 middle blocks, strided separable convolutions for max pools, batch norm and ReLU after every 3x3.
"""

from typing import Any

from keras import layers

from segmentation.networks.choosing import scaled
from segmentation.networks.layers import convolution_norm_relu, separable_convolution

EPSILON = 1e-3  # of the norms, as in keras.applications' Xception and TensorFlow's DeepLab
MIDDLE_BLOCKS = 16
ENTRY, MIDDLE, EXIT = (128, 256, 728), (728, 728, 728), ((728, 1024, 1024), (1536, 1536, 2048))


def xception65(x: Any, *, output_stride: int, width: float = 1.0) -> dict[str, Any]:
    """Maps "low_level" (stride 4, 256 maps) and "exit" (2048 maps) for prepared pictures.

    `x` (batch, height, width, 3) with sizes that are multiples of `output_stride`: 8, 16 or 32 (none dilated).
    Where the stride would go beyond it, all later 3x3 kernels dilate instead. `width` multiplies the maps.
    """
    x = convolution_norm_relu(x, scaled(32, width), 3, stride=2, epsilon=EPSILON, name="stem_1")
    x = convolution_norm_relu(x, scaled(64, width), 3, epsilon=EPSILON, name="stem_2")
    reached, dilation, low_level = 2, 1, None
    for block, maps in enumerate(ENTRY, 1):
        stride = 2 if reached < output_stride else 1
        x, before_stride = xception_block(x, (maps,) * 3, f"entry_{block}", stride, dilation, width)
        reached, dilation = reached * stride, dilation * 2 // stride
        low_level = before_stride if block == 2 else low_level
    for block in range(1, MIDDLE_BLOCKS + 1):
        x, _ = xception_block(x, MIDDLE, f"middle_{block}", 1, dilation, width, shortcut="sum")
    stride = 2 if reached < output_stride else 1
    x, _ = xception_block(x, EXIT[0], "exit_1", stride, dilation, width)
    dilation = dilation * 2 // stride
    x, _ = xception_block(x, EXIT[1], "exit_2", 1, dilation, width, shortcut="none")
    return {"low_level": low_level, "exit": x}


def xception_block(
    x: Any,
    maps: tuple[int, int, int],
    name: str,
    stride: int,
    dilation: int,
    width: float,
    shortcut: str = "convolution",
) -> tuple[Any, Any]:
    """Three separable convolutions, the last with the stride; what comes out, and what the second one gave.

    With a shortcut ("convolution" or "sum") a ReLU is before each of them, as in Xception, and the paper's
    additional one inside; without ("none") it is behind each. TensorFlow's DeepLab has the additional one only in the
    block without a shortcut.
    """
    residual = x
    if shortcut == "convolution":
        residual = convolution_norm_relu(
            x, scaled(maps[2], width), stride=stride, epsilon=EPSILON, relu=False, name=f"{name}_shortcut"
        )
    outputs = []
    for index, count in enumerate(maps, 1):
        if shortcut != "none":
            x = layers.ReLU(name=f"{name}_separable_{index}_relu")(x)
        x = separable_convolution(
            x,
            scaled(count, width),
            stride=stride if index == 3 else 1,
            dilation=dilation,
            epsilon=EPSILON,
            relu=shortcut == "none",
            name=f"{name}_separable_{index}",
        )
        outputs.append(x)
    if shortcut != "none":
        x = layers.Add(name=f"{name}_add")([residual, x])
    return x, outputs[1]
