"""Dilated ResNet-50, the encoder of PSPNet and DeepLabv3+.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016; dilated as in Chen, Papandreou,
Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017.
"""

from typing import Any

from keras import layers

from segmentation.networks.choosing import scaled
from segmentation.networks.layers import convolution_norm_relu

EPSILON = 1.001e-5  # of the norms, as in keras.applications, whose weights fit
BLOCKS = {"conv2": 3, "conv3": 4, "conv4": 6, "conv5": 3}
MAPS = {"conv2": 64, "conv3": 128, "conv4": 256, "conv5": 512}  # inside a block; four times as many come out


def resnet50(x: Any, *, output_stride: int, width: float = 1.0) -> dict[str, Any]:
    """Maps of the stages "conv2" (stride 4), "conv3", "conv4" and "conv5" for prepared pictures.

    `x` (batch, height, width, 3) with sizes that are multiples of `output_stride`: 8, 16 or 32 (He's own). A stage
    that would go beyond it keeps its size and dilates its 3x3 kernels instead, so every output is the one that the
    network without dilation has at that place. `width` multiplies the maps: at 1 they are 256, 512, 1024 and 2048.
    """
    x = convolution_norm_relu(x, scaled(64, width), 7, stride=2, epsilon=EPSILON, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_padding")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    stages, reached, dilation = {}, 4, 1
    for stage, blocks in BLOCKS.items():
        stride = 1 if stage == "conv2" else 2
        if reached * stride > output_stride:
            stride, dilation = 1, 2 * dilation
        reached *= stride
        for block in range(1, blocks + 1):
            maps = scaled(MAPS[stage], width)
            x = bottleneck(x, maps, f"{stage}_block{block}", stride if block == 1 else 1, dilation, first=block == 1)
        stages[stage] = x
    return stages


def bottleneck(x: Any, maps: int, name: str, stride: int, dilation: int, first: bool) -> Any:
    """A residual block of 1x1, 3x3 and 1x1 convolutions; the first of a stage has one on its shortcut too.

    The stride is in the first 1x1, as in the paper; many later versions have it in the 3x3.
    """
    shortcut = x
    if first:
        shortcut = convolution_norm_relu(x, 4 * maps, stride=stride, epsilon=EPSILON, relu=False, name=f"{name}_0")
    x = convolution_norm_relu(x, maps, stride=stride, epsilon=EPSILON, name=f"{name}_1")
    x = convolution_norm_relu(x, maps, 3, dilation=dilation, epsilon=EPSILON, name=f"{name}_2")
    x = convolution_norm_relu(x, 4 * maps, epsilon=EPSILON, relu=False, name=f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)
