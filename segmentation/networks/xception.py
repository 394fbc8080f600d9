"""The modified aligned Xception-65, an encoder of DeepLabv3+.

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017, as changed in Chen, Zhu, Papandreou,
Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", 2018, figure 4:
16 middle blocks, strided separable convolutions instead of max pooling, batch norm and ReLU after every 3x3.
"""

from typing import Any

from keras import layers

from segmentation.networks.layers import convolution_norm_relu, separable_convolution
from segmentation.networks.variants import scale_filters

EPSILON = 1e-3  # of the norms, as in keras.applications' Xception and TensorFlow's DeepLab
MIDDLE_BLOCKS = 16
ENTRY_FILTERS = (128, 256, 728)  # one number per block: its three convolutions have the same
MIDDLE_FILTERS = (728, 728, 728)
EXIT_FILTERS = ((728, 1024, 1024), (1536, 1536, 2048))


def xception65(x: Any, *, output_stride: int, width: float = 1.0) -> dict[str, Any]:
    """Return the features "low_level" (stride 4, 256 channels) and "exit" (2048 channels) for preprocessed images.

    `x` is (batch, height, width, 3) with sizes that are multiples of `output_stride`: 8, 16 or 32 (no dilation).
    Where the stride would exceed it, all later 3x3 kernels dilate instead. `width` multiplies the numbers of channels.
    """
    x = convolution_norm_relu(x, scale_filters(32, width), 3, stride=2, epsilon=EPSILON, name="stem_1")
    x = convolution_norm_relu(x, scale_filters(64, width), 3, epsilon=EPSILON, name="stem_2")
    total_stride, dilation, low_level = 2, 1, None
    for block, filters in enumerate(ENTRY_FILTERS, 1):
        stride = 2 if total_stride < output_stride else 1
        x, before_stride = xception_block(x, (filters,) * 3, f"entry_{block}", stride, dilation, width)
        total_stride, dilation = total_stride * stride, dilation * 2 // stride
        low_level = before_stride if block == 2 else low_level
    for block in range(1, MIDDLE_BLOCKS + 1):
        x, _ = xception_block(x, MIDDLE_FILTERS, f"middle_{block}", 1, dilation, width, shortcut="sum")
    stride = 2 if total_stride < output_stride else 1
    x, _ = xception_block(x, EXIT_FILTERS[0], "exit_1", stride, dilation, width)
    dilation = dilation * 2 // stride
    x, _ = xception_block(x, EXIT_FILTERS[1], "exit_2", 1, dilation, width, shortcut="none")
    return {"low_level": low_level, "exit": x}


def xception_block(
    x: Any,
    filters: tuple[int, int, int],
    name: str,
    stride: int,
    dilation: int,
    width: float,
    shortcut: str = "convolution",
) -> tuple[Any, Any]:
    """Apply three separable convolutions, the last with the stride; return the block's output and that of the second.

    With a shortcut ("convolution" or "sum") a ReLU is before each convolution, as in Xception, besides the one inside
    it that the paper adds; without ("none") it is after each. TensorFlow's DeepLab has the additional one only in the
    block without a shortcut.
    """
    residual = x
    if shortcut == "convolution":
        residual = convolution_norm_relu(
            x, scale_filters(filters[2], width), stride=stride, epsilon=EPSILON, relu=False, name=f"{name}_shortcut"
        )
    outputs = []
    for index, number in enumerate(filters, 1):
        if shortcut != "none":
            x = layers.ReLU(name=f"{name}_separable_{index}_relu")(x)
        x = separable_convolution(
            x,
            scale_filters(number, width),
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
