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


def prepare_pictures(pictures: Any, stride: int) -> Any:
    """The first steps of every network: RGB 0..255 to -1..1, padded to the network's stride."""
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="rescaled_to_1")(pictures)
    return PadToStride(stride, name="padded_to_stride")(scaled)


def class_scores(x: Any, pictures: Any, classes: int, kernel_size: int = 1) -> Any:
    """The last steps of every network: a convolution to one map a class, at the pictures' size, in float32.

    Scores are logits: softmax makes them probabilities.
    """
    scores = layers.Conv2D(classes, kernel_size, padding="same", kernel_initializer="he_uniform", name="class_scores")(
        x
    )
    scores = CropLike(name="cropped_to_picture")([scores, pictures])
    return layers.Activation("linear", dtype="float32", name="logits")(scores)
