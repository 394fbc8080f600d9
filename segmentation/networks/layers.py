"""Layers and building blocks that the networks share; Keras 3 operations only, so they run on every backend."""

from typing import Any

import keras
from keras import layers, ops

PACKAGE = "segmentation"


@keras.saving.register_keras_serializable(PACKAGE)
class PadToStride(layers.Layer):
    """Pad (batch, height, width, channels) with zeros at the bottom and right to multiples of `stride`."""

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x: Any) -> Any:
        """Return the padded features."""
        height, width = ops.shape(x)[1:3]
        return ops.pad(x, [[0, 0], [0, -height % self.stride], [0, -width % self.stride], [0, 0]])

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Round the height and width up; unknown ones stay unknown."""
        height, width = (size and -(-size // self.stride) * self.stride for size in shape[1:3])
        return (shape[0], height, width, shape[3])

    def get_config(self) -> dict:
        """Return the constructor's arguments for the model file."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(PACKAGE)
class CropLike(layers.Layer):
    """Crop the first input to the height and width of the second: undoes `PadToStride`."""

    def call(self, inputs: tuple) -> Any:
        """Return features (batch, height of `like`, width of `like`, channels)."""
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Return the size of the second input with the channels of the first."""
        shape, like = shapes
        return (*like[:3], shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class ResizeLike(layers.Layer):
    """Resize the first input bilinearly to the height and width of the second, larger or smaller.

    Half-pixel centres: pixels are squares and the outer edges of both images coincide, which other libraries call
    `align_corners=False`. No antialiasing when the size decreases. With `dtype="float32"` it computes in float32.
    """

    def call(self, inputs: tuple) -> Any:
        """Return features (batch, height of `like`, width of `like`, channels)."""
        x, like = inputs
        return ops.image.resize(x, tuple(ops.shape(like)[1:3]), interpolation="bilinear", antialias=False)

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Return the size of the second input with the channels of the first."""
        shape, like = shapes
        return (*like[:3], shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class AdaptiveAveragePooling(layers.Layer):
    """Average (batch, height, width, channels) over `bins` x `bins` regions that cover features of any size.

    With n rows, region i begins at row floor(i n / bins) and ends before row ceil((i + 1) n / bins): neighbouring
    regions share a row where n is not a multiple of `bins`, and a row belongs to several regions where n < `bins`.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, x: Any) -> Any:
        """Return the means (batch, bins, bins, channels), summed in float32."""
        height, width = ops.shape(x)[1:3]
        means = ops.einsum("ih,bhwc->biwc", self._averaging_matrix(height), ops.cast(x, "float32"))
        means = ops.einsum("jw,biwc->bijc", self._averaging_matrix(width), means)
        return ops.cast(means, self.compute_dtype)

    def _averaging_matrix(self, size: Any) -> Any:
        """Return the matrix (bins, size) whose row i takes the mean of region i."""
        region, position = ops.arange(self.bins)[:, None], ops.arange(size)[None, :]
        start, end = region * size // self.bins, ((region + 1) * size + self.bins - 1) // self.bins
        inside = ops.cast((position >= start) & (position < end), "float32")
        return inside / ops.sum(inside, axis=1, keepdims=True)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Replace the height and width by `bins`."""
        return (shape[0], self.bins, self.bins, shape[3])

    def get_config(self) -> dict:
        """Return the constructor's arguments for the model file."""
        return {**super().get_config(), "bins": self.bins}


def batch_norm(name: str, epsilon: float = 1e-3, **options: Any) -> layers.BatchNormalization:
    """Return a batch norm with momentum 0.9, whose moving statistics forget nine tenths in 22 steps.

    Keras's default momentum of 0.99 needs 230 steps, more than an epoch of a small dataset: validation would use
    the statistics of outdated weights. 0.9 is also the default of Torch, in which ENet was written.
    """
    return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=name, **options)


def convolution_norm_relu(
    x: Any,
    filters: int,
    kernel_size: int = 1,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    epsilon: float = 1e-5,
    relu: bool = True,
) -> Any:
    """Apply the layers `NAME_conv`, without biases because the norm has them, `NAME_norm` and, if `relu`, `NAME_relu`.

    Strided kernels are centred on the first of every `stride` pixels. Padding "same" would shift them by half a
    stride, relative to the dilated kernels that replace them at a smaller output stride.
    """
    same = stride == 1 or kernel_size == 1
    if not same:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_padding")(x)
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=stride,
        padding="same" if same else "valid",
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = batch_norm(f"{name}_norm", epsilon)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def separable_convolution(
    x: Any,
    filters: int,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    epsilon: float = 1e-5,
    relu: bool = True,
) -> Any:
    """Apply a 3x3 depthwise convolution, batch norm and ReLU; then a 1x1 convolution, batch norm and, if `relu`, ReLU.

    The layers are named `NAME_depthwise_...` and `NAME_pointwise_...`.
    """
    if stride > 1:
        x = layers.ZeroPadding2D(1, name=f"{name}_depthwise_padding")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        dilation_rate=dilation,
        use_bias=False,
        # He's for 9 inputs. Keras would count the inputs of all channels, and the outputs would be so small that the
        # norm's epsilon dominates.
        depthwise_initializer=keras.initializers.RandomNormal(stddev=(2 / 9) ** 0.5),
        name=f"{name}_depthwise_conv",
    )(x)
    x = batch_norm(f"{name}_depthwise_norm", epsilon)(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return convolution_norm_relu(x, filters, name=f"{name}_pointwise", epsilon=epsilon, relu=relu)


def preprocess(images: Any, stride: int, mean: tuple[float, float, float] | None = None) -> Any:
    """Scale RGB images 0..255 to about -1..1 and pad them to the network's stride: the first steps of every network.

    Without a `mean` colour (RGB, 0..255) black is -1 and white 1. With it the result is (rgb - mean) / 127.5, so that
    the zeros of the padding are the mean colour.
    """
    offset = -1 if mean is None else [-value / 127.5 for value in mean]
    scaled = layers.Rescaling(1 / 127.5, offset=offset, name="rescaled_to_1")(images)
    return PadToStride(stride, name="padded_to_stride")(scaled)


def segmentation_head(
    x: Any, images: Any, num_classes: int, kernel_size: int = 1, padded: Any = None, prefix: str = ""
) -> Any:
    """Convolve to one score per class; return logits at the images' size in float32: the end of most networks.

    Softmax turns logits into probabilities. Where `x` is smaller than the padded images, pass these as `padded`: the
    scores are resized to their size, in float32. `prefix` is prepended to the layers' names.
    """
    scores = layers.Conv2D(
        num_classes, kernel_size, padding="same", kernel_initializer="he_uniform", name=f"{prefix}class_scores"
    )(x)
    if padded is not None:
        scores = ResizeLike(dtype="float32", name=f"{prefix}scores_resized_to_image")([scores, padded])
    return logits(scores, images, prefix)


def logits(scores: Any, images: Any, prefix: str = "") -> Any:
    """Crop scores of the padded images to the size of `images`, and cast them to float32."""
    scores = CropLike(dtype=scores.dtype, name=f"{prefix}cropped_to_image")([scores, images])
    return layers.Activation("linear", dtype="float32", name=f"{prefix}logits")(scores)
