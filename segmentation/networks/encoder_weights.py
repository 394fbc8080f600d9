"""Initialise an encoder with the ImageNet weights of keras.applications.

Its VGG16 and ResNet50 expect BGR images, 0..255, minus a mean colour. These networks scale images to
(rgb - mean) / 127.5, so the first kernels are reordered to RGB and multiplied by 127.5: the encoder then computes what
the original does.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from segmentation.errors import UserError
from segmentation.files.regular_file import require_regular_file
from segmentation.model_archive import (
    KERAS_ENTRIES,
    readable,
    require_archive,
    require_plain_hdf5,
    require_plain_weights,
)

IMAGE_SCALE = 127.5  # of `preprocess`
IMAGENET_MEAN = (123.68, 116.779, 103.939)  # RGB, 0..255; the weights of VGG16 and ResNet50 expect it subtracted
Assignment = tuple[Any, np.ndarray, str]  # a variable of the network, its new value, and the original's layer

APPLICATIONS = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "xception": keras.applications.Xception,
}


def load_encoder_weights(network: keras.Model, encoder: str, source: str) -> None:
    """Copy the weights of a keras.applications model into the encoder of `network`; other layers keep theirs.

    `encoder` is "vgg16" or "resnet50", which then compute what the original does, or "xception". Of Xception only the
    kernels are copied, and norms where nothing else differs: Xception-65 has more norms, ReLUs, middle blocks and exit
    layers, so it computes a different function, and layers without a counterpart stay random. `source` is "imagenet",
    which Keras downloads once, or the path of such a model (.keras) or of its weights (.weights.h5 or .h5). Raises
    `UserError`, and leaves the network unchanged, when the source is not available, or does not fit the network because
    one of them is not as wide as published.
    """
    if encoder not in APPLICATIONS:
        raise UserError(f"encoder {encoder!r}: no weights known; use one of {', '.join(APPLICATIONS)}")
    original = download(encoder) if source == "imagenet" else read_encoder(encoder, Path(source))
    mapping = {"vgg16": vgg16_weights, "resnet50": resnet50_weights, "xception": xception_weights}[encoder]
    try:
        assignments = list(mapping(network, original))
    except Exception as error:  # of any kind: a layer is missing, or is of another kind
        reason = next(iter(str(error).splitlines()), type(error).__name__).split(". Existing layers")[0].rstrip(".")
        raise UserError(
            f"{source}: does not fit {network.name} as {encoder} ({reason}); use weights of keras.applications' "
            f"{APPLICATIONS[encoder].__name__}"
        ) from None
    for variable, value, layer in assignments:
        if tuple(variable.shape) != value.shape:
            raise UserError(
                f"{source}: {layer} is {value.shape} and does not fit {network.name}, where it is "
                f"{tuple(variable.shape)}; use a variant as wide as published, or no encoder weights"
            )
    for variable, value, _ in assignments:
        variable.assign(value)


def download(encoder: str) -> keras.Model:
    """Return the keras.applications model with its ImageNet weights."""
    try:
        return APPLICATIONS[encoder](weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises Exception itself
        reason = " ".join(str(error).split())
        raise UserError(
            f"imagenet: the weights of {encoder} cannot be downloaded ({reason}); give the path of a file instead"
        ) from None


def read_encoder(encoder: str, path: Path) -> keras.Model:
    """Return the keras.applications model from a file of it or of its weights, with or without its classifier."""
    kind, cure = f"{encoder} weights", "save them with keras.applications"
    with readable(path, kind, cure):
        try:
            require_regular_file(path)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file of encoder weights; use imagenet or the path of one") from None
        if path.suffix == ".keras":
            require_archive(path, KERAS_ENTRIES)
            require_plain_weights(path)
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        if path.suffix not in (".h5", ".hdf5"):
            raise ValueError("it is neither a .keras nor a .h5 file")
        with path.open("rb") as file:
            require_plain_hdf5(file)
        original = APPLICATIONS[encoder](weights=None, include_top=False)
        try:
            original.load_weights(path)
        except Exception:  # of any kind
            original = APPLICATIONS[encoder](weights=None, include_top=True)
            original.load_weights(path)
        return original


def vgg16_weights(network: keras.Model, original: keras.Model) -> Iterator[Assignment]:
    """Yield kernels and biases of the 13 convolutions; norms, which VGG16 does not have, become the identity."""
    for block, depth in enumerate((2, 2, 3, 3, 3), 1):
        for index in range(1, depth + 1):
            name = f"block{block}_conv{index}"
            kernel, bias = weights_of(original, name)
            convolution, norm = network.get_layer(name), network.get_layer(f"{name}_norm")
            yield convolution.kernel, rgb(kernel) if block == index == 1 else kernel, name
            yield convolution.bias, bias, name
            ones = np.ones(bias.shape, np.float32)
            yield from norm_values(norm, (ones, 0 * ones, 0 * ones, (1 - norm.epsilon) * ones), name)


def resnet50_weights(network: keras.Model, original: keras.Model) -> Iterator[Assignment]:
    """Yield kernels and norms; the original's biases, which the network does not have, go into the moving means."""
    blocks = [(stage, block) for stage, depth in ((2, 3), (3, 4), (4, 6), (5, 3)) for block in range(1, depth + 1)]
    names = ["conv1"]
    for stage, block in blocks:
        names += [f"conv{stage}_block{block}_{part}" for part in range(0 if block == 1 else 1, 4)]
    for name in names:
        kernel, bias = weights_of(original, f"{name}_conv")
        gamma, beta, mean, variance = weights_of(original, f"{name}_bn")
        yield network.get_layer(f"{name}_conv").kernel, rgb(kernel) if name == "conv1" else kernel, f"{name}_conv"
        yield from norm_values(network.get_layer(f"{name}_norm"), (gamma, beta, mean - bias, variance), f"{name}_bn")


def xception_weights(network: keras.Model, original: keras.Model) -> Iterator[Assignment]:
    """Yield kernels with a counterpart, and the norms of stem and shortcuts; images are -1..1 in both networks."""
    for index in (1, 2):
        name = f"block1_conv{index}"
        (kernel,) = weights_of(original, name)
        yield network.get_layer(f"stem_{index}_conv").kernel, kernel, name
        yield from norm_values(network.get_layer(f"stem_{index}_norm"), weights_of(original, f"{name}_bn"), name)

    # The original does not name its shortcuts; they are its only other convolutions and norms, in this order.
    unnamed = [layer for layer in original.layers if not layer.name.startswith("block")]
    convolutions = [layer for layer in unnamed if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in unnamed if isinstance(layer, keras.layers.BatchNormalization)]
    for block, convolution, norm in zip(("entry_1", "entry_2", "entry_3", "exit_1"), convolutions, norms, strict=True):
        name = f"shortcut of {block}"
        (kernel,) = weights_of(original, convolution.name)
        yield network.get_layer(f"{block}_shortcut_conv").kernel, kernel, name
        yield from norm_values(network.get_layer(f"{block}_shortcut_norm"), weights_of(original, norm.name), name)

    for name, original_name in xception_separables().items():
        depthwise, pointwise = weights_of(original, original_name)
        yield network.get_layer(f"{name}_depthwise_conv").kernel, depthwise, original_name
        yield network.get_layer(f"{name}_pointwise_conv").kernel, pointwise, original_name


def xception_separables() -> dict[str, str]:
    """Return the names of Xception-65's separable convolutions and of those in Xception with the same shapes."""
    blocks = {f"entry_{i}": (i + 1, {1: 1, 2: 2}) for i in (1, 2, 3)}
    blocks |= {f"middle_{i}": (i + 4, {1: 1, 2: 2, 3: 3}) for i in range(1, 9)}
    blocks |= {"exit_1": (13, {1: 1, 2: 2}), "exit_2": (14, {1: 1, 3: 2})}
    return {
        f"{block}_separable_{part}": f"block{original_block}_sepconv{index}"
        for block, (original_block, parts) in blocks.items()
        for part, index in parts.items()
    }


def norm_values(norm: keras.Layer, values: Sequence[np.ndarray], layer: str) -> Iterator[Assignment]:
    """Yield the assignments of a batch norm's gamma, beta, moving mean and moving variance."""
    variables = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    for variable, value in zip(variables, values, strict=True):
        yield variable, value, layer


def weights_of(original: keras.Model, name: str) -> list[np.ndarray]:
    """Return all weights of a layer; raise `ValueError` if there is no such layer."""
    return original.get_layer(name).get_weights()


def rgb(kernel: np.ndarray) -> np.ndarray:
    """Convert a kernel for BGR images, 0..255 minus a mean, to one for the images of `preprocess`."""
    return kernel[:, :, ::-1] * IMAGE_SCALE
