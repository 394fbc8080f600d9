"""Dilated ResNet-50, the encoder of PSPNet and DeepLabv3+.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016; dilated as in Chen, Papandreou,
Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017.
"""

from typing import Any

from keras import layers

from segmentation.networks.layers import convolution_norm_relu
from segmentation.networks.variants import scale_filters

EPSILON = 1.001e-5  # of the norms, as in keras.applications, whose weights can be loaded
BLOCKS = {"conv2": 3, "conv3": 4, "conv4": 6, "conv5": 3}
FILTERS = {"conv2": 64, "conv3": 128, "conv4": 256, "conv5": 512}  # inside a block; its output has four times as many


def resnet50(x: Any, *, output_stride: int, width: float = 1.0) -> dict[str, Any]:
    """Return the features of the stages "conv2" (stride 4), "conv3", "conv4" and "conv5" for preprocessed images.

    `x` is (batch, height, width, 3) with sizes that are multiples of `output_stride`: 8, 16 or 32 (the original's). A
    stage that would exceed it keeps its size and dilates its 3x3 kernels instead, so that every output equals that of
    the undilated network at the same position. `width` multiplies the numbers of channels, which are 256, 512, 1024 and
    2048 at 1.
    """
    x = convolution_norm_relu(x, scale_filters(64, width), 7, stride=2, epsilon=EPSILON, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_padding")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    stages, total_stride, dilation = {}, 4, 1
    for stage, blocks in BLOCKS.items():
        stride = 1 if stage == "conv2" else 2
        if total_stride * stride > output_stride:
            stride, dilation = 1, 2 * dilation
        total_stride *= stride
        for block in range(1, blocks + 1):
            filters = scale_filters(FILTERS[stage], width)
            x = bottleneck(x, filters, f"{stage}_block{block}", stride if block == 1 else 1, dilation, first=block == 1)
        stages[stage] = x
    return stages


def bottleneck(x: Any, filters: int, name: str, stride: int, dilation: int, first: bool) -> Any:
    """Apply a residual block of 1x1, 3x3 and 1x1 convolutions; the first of a stage has one on its shortcut too.

    The stride is in the first 1x1 convolution, as in the paper; many later versions have it in the 3x3 one.
    """
    shortcut = x
    if first:
        shortcut = convolution_norm_relu(x, 4 * filters, stride=stride, epsilon=EPSILON, relu=False, name=f"{name}_0")
    x = convolution_norm_relu(x, filters, stride=stride, epsilon=EPSILON, name=f"{name}_1")
    x = convolution_norm_relu(x, filters, 3, dilation=dilation, epsilon=EPSILON, name=f"{name}_2")
    x = convolution_norm_relu(x, 4 * filters, epsilon=EPSILON, relu=False, name=f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)
