"""Layers that networks share; Keras 3 operations only, so they run on every backend."""

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
        """Padded maps."""
        height, width = ops.shape(x)[1:3]
        return ops.pad(x, [[0, 0], [0, -height % self.stride], [0, -width % self.stride], [0, 0]])

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Known sizes rounded up; unknown ones stay unknown."""
        height, width = (size and -(-size // self.stride) * self.stride for size in shape[1:3])
        return (shape[0], height, width, shape[3])

    def get_config(self) -> dict:
        """For the model file."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(PACKAGE)
class CropLike(layers.Layer):
    """Crop the first maps to the height and width of the second: undoes `PadToStride`."""

    def call(self, inputs: tuple) -> Any:
        """Maps (batch, height of `like`, width of `like`, channels)."""
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Size of the second, channels of the first."""
        shape, like = shapes
        return (*like[:3], shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class ResizeLike(layers.Layer):
    """Resize the first maps bilinearly to the height and width of the second, whatever those are.

    Half-pixel centres: pixels are squares and the outer edges of both maps meet, as `align_corners=False` says
    elsewhere; nothing is smoothed where maps get smaller. With `dtype="float32"` it computes in float32.
    """

    def call(self, inputs: tuple) -> Any:
        """Maps (batch, height of `like`, width of `like`, channels)."""
        x, like = inputs
        return ops.image.resize(x, tuple(ops.shape(like)[1:3]), interpolation="bilinear", antialias=False)

    def compute_output_shape(self, shapes: tuple) -> tuple:
        """Size of the second, channels of the first."""
        shape, like = shapes
        return (*like[:3], shape[3])


@keras.saving.register_keras_serializable(PACKAGE)
class AdaptiveAveragePooling(layers.Layer):
    """Average (batch, height, width, channels) over `bins` x `bins` regions that cover maps of any size.

    Region i of n rows begins at row floor(i n / bins) and ends before ceil((i + 1) n / bins): regions share a row
    where n is no multiple, and rows serve several regions where there are fewer rows than bins.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, x: Any) -> Any:
        """Means (batch, bins, bins, channels), summed in float32."""
        height, width = ops.shape(x)[1:3]
        means = ops.einsum("ih,bhwc->biwc", self._averaging(height), ops.cast(x, "float32"))
        means = ops.einsum("jw,biwc->bijc", self._averaging(width), means)
        return ops.cast(means, self.compute_dtype)

    def _averaging(self, size: Any) -> Any:
        """The matrix (bins, size) whose row i takes the mean of region i."""
        region, place = ops.arange(self.bins)[:, None], ops.arange(size)[None, :]
        start, end = region * size // self.bins, ((region + 1) * size + self.bins - 1) // self.bins
        inside = ops.cast((place >= start) & (place < end), "float32")
        return inside / ops.sum(inside, axis=1, keepdims=True)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """`bins` high and wide."""
        return (shape[0], self.bins, self.bins, shape[3])

    def get_config(self) -> dict:
        """For the model file."""
        return {**super().get_config(), "bins": self.bins}


def batch_norm(name: str, epsilon: float = 1e-3, **options: Any) -> layers.BatchNormalization:
    """Batch norm whose running statistics forget nine tenths in 22 steps.

    Keras's own momentum, 0.99, needs 230, more than an epoch of a small dataset: validation then judges statistics of
    weights that are long gone. 0.9 is also Torch's, in which ENet was written.
    """
    return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=name, **options)


def convolution_norm_relu(
    x: Any,
    maps: int,
    size: int = 1,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    epsilon: float = 1e-5,
    relu: bool = True,
) -> Any:
    """A convolution without biases (the norm has them), `NAME_conv`; `NAME_norm`; and, if wanted, `NAME_relu`.

    Strided kernels are centred on the first of every `stride` pixels. Padding "same" would move them by half a
    stride, and other than a dilated kernel that takes their place.
    """
    same = stride == 1 or size == 1
    if not same:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_padding")(x)
    x = layers.Conv2D(
        maps,
        size,
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
    maps: int,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    epsilon: float = 1e-5,
    relu: bool = True,
) -> Any:
    """A 3x3 convolution of every map by itself, batch norm, ReLU; then a 1x1 convolution, batch norm and ReLU.

    The last ReLU only if wanted. Layers are `NAME_depthwise_...` and `NAME_pointwise_...`.
    """
    if stride > 1:
        x = layers.ZeroPadding2D(1, name=f"{name}_depthwise_padding")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        dilation_rate=dilation,
        use_bias=False,
        # He's for 9 inputs: Keras would count those of all maps, and the norm's epsilon would swamp what comes out.
        depthwise_initializer=keras.initializers.RandomNormal(stddev=(2 / 9) ** 0.5),
        name=f"{name}_depthwise_conv",
    )(x)
    x = batch_norm(f"{name}_depthwise_norm", epsilon)(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return convolution_norm_relu(x, maps, name=f"{name}_pointwise", epsilon=epsilon, relu=relu)


def prepare_pictures(pictures: Any, stride: int, mean: tuple[float, float, float] | None = None) -> Any:
    """The first steps of every network: RGB 0..255 to about -1..1, padded to the network's stride.

    Without a `mean` colour (RGB, 0..255) black is -1 and white 1; with it, (rgb - mean) / 127.5, so that the zeros
    that pad are that colour.
    """
    offset = -1 if mean is None else [-value / 127.5 for value in mean]
    prepared = layers.Rescaling(1 / 127.5, offset=offset, name="rescaled_to_1")(pictures)
    return PadToStride(stride, name="padded_to_stride")(prepared)


def class_scores(
    x: Any, pictures: Any, classes: int, kernel_size: int = 1, padded: Any = None, prefix: str = ""
) -> Any:
    """The last steps of nearly every network: a convolution to one map a class, at the pictures' size, in float32.

    Scores are logits: softmax makes them probabilities. Where `x` is smaller than the padded pictures, give these
    as `padded`: the scores are resized to them, in float32. `prefix` begins the layers' names.
    """
    scores = layers.Conv2D(
        classes, kernel_size, padding="same", kernel_initializer="he_uniform", name=f"{prefix}class_scores"
    )(x)
    if padded is not None:
        scores = ResizeLike(dtype="float32", name=f"{prefix}scores_resized_to_picture")([scores, padded])
    return logits(scores, pictures, prefix)


def logits(scores: Any, pictures: Any, prefix: str = "") -> Any:
    """Scores of the padded pictures' size, cropped to that of the pictures, in float32."""
    scores = CropLike(dtype=scores.dtype, name=f"{prefix}cropped_to_picture")([scores, pictures])
    return layers.Activation("linear", dtype="float32", name=f"{prefix}logits")(scores)
