"""Start an encoder with weights that keras.applications has from ImageNet.

Its VGG16 and ResNet50 expect BGR pictures, 0..255, less a mean colour. Our pictures are (rgb - mean) / 127.5, so the
first kernels are turned to RGB and multiplied by 127.5: the encoder then computes what the original does.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from segmentation.errors import UserError

PICTURE_SCALE = 127.5  # of `prepare_pictures`
IMAGENET_MEAN = (123.68, 116.779, 103.939)  # RGB, 0..255, what the weights of VGG16 and ResNet50 expect taken off
Assignment = tuple[Any, np.ndarray, str]  # a variable of ours, its value, and the layer that the value is from

APPLICATIONS = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "xception": keras.applications.Xception,
}


def load_encoder_weights(network: keras.Model, encoder: str, source: str) -> None:
    """Give the encoder of `network` the weights of a keras.applications model; the other layers keep theirs.

    `encoder` is "vgg16" or "resnet50", which then compute what the original does, or "xception". Of this only
    kernels are taken, and norms where nothing else differs: Xception-65 has more norms, ReLUs, middle blocks and
    exit layers than Xception, so what it computes is another function, and layers without a counterpart stay random.
    `source` is "imagenet", which Keras downloads once, or the path of such a model (.keras) or of its weights
    (.weights.h5 or .h5). Raises `UserError`, with the network as it was, when the source cannot be had, or does not
    fit the network because either is not as wide as published.
    """
    if encoder not in APPLICATIONS:
        raise UserError(f"encoder {encoder!r}: no weights known; use one of {', '.join(APPLICATIONS)}")
    original = download(encoder) if source == "imagenet" else read_encoder(encoder, Path(source))
    mapping = {"vgg16": vgg16_weights, "resnet50": resnet50_weights, "xception": xception_weights}[encoder]
    try:
        assignments = list(mapping(network, original))
    except (ValueError, AttributeError) as error:  # a layer is missing, or is of another kind
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
    """The keras.applications model with its ImageNet weights."""
    try:
        return APPLICATIONS[encoder](weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises Exception itself
        reason = " ".join(str(error).split())
        raise UserError(
            f"imagenet: the weights of {encoder} cannot be downloaded ({reason}); give the path of a file instead"
        ) from None


def read_encoder(encoder: str, path: Path) -> keras.Model:
    """The keras.applications model from its own file or that of its weights, with or without its classifier."""
    if not path.is_file():
        raise UserError(f"{path}: no such file of encoder weights; use imagenet or the path of one")
    reason = "it is neither a .keras nor a .h5 file"
    if path.suffix == ".keras":
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except (zipfile.BadZipFile, OSError, ValueError, TypeError, KeyError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
    elif path.suffix in (".h5", ".hdf5"):
        for classifier in (False, True):
            original = APPLICATIONS[encoder](weights=None, include_top=classifier)
            try:
                original.load_weights(path)
                return original
            except (OSError, ValueError, TypeError, KeyError) as error:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
    raise UserError(
        f"{path}: cannot be read as {encoder} weights ({reason.rstrip('.')}); save them with keras.applications"
    )


def vgg16_weights(network: keras.Model, original: keras.Model) -> Iterator[Assignment]:
    """Kernels and biases of the 13 convolutions; norms, which VGG16 has none of, do nothing until they are trained."""
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
    """Kernels and norms; the convolutions' biases, which ours have none of, go into the norms' moving means."""
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
    """Kernels with a counterpart, and the norms of the stem and the shortcuts; pictures are -1..1 in both."""
    for index in (1, 2):
        name = f"block1_conv{index}"
        (kernel,) = weights_of(original, name)
        yield network.get_layer(f"stem_{index}_conv").kernel, kernel, name
        yield from norm_values(network.get_layer(f"stem_{index}_norm"), weights_of(original, f"{name}_bn"), name)

    # The original does not name its shortcuts; they are its only other convolutions and norms, in this order.
    nameless = [layer for layer in original.layers if not layer.name.startswith("block")]
    convolutions = [layer for layer in nameless if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in nameless if isinstance(layer, keras.layers.BatchNormalization)]
    for block, convolution, norm in zip(("entry_1", "entry_2", "entry_3", "exit_1"), convolutions, norms, strict=True):
        name = f"shortcut of {block}"
        (kernel,) = weights_of(original, convolution.name)
        yield network.get_layer(f"{block}_shortcut_conv").kernel, kernel, name
        yield from norm_values(network.get_layer(f"{block}_shortcut_norm"), weights_of(original, norm.name), name)

    for ours, theirs in xception_separables().items():
        depthwise, pointwise = weights_of(original, theirs)
        yield network.get_layer(f"{ours}_depthwise_conv").kernel, depthwise, theirs
        yield network.get_layer(f"{ours}_pointwise_conv").kernel, pointwise, theirs


def xception_separables() -> dict[str, str]:
    """Separable convolutions of Xception-65 and those of Xception that have their shapes."""
    blocks = {f"entry_{i}": (i + 1, {1: 1, 2: 2}) for i in (1, 2, 3)}
    blocks |= {f"middle_{i}": (i + 4, {1: 1, 2: 2, 3: 3}) for i in range(1, 9)}
    blocks |= {"exit_1": (13, {1: 1, 2: 2}), "exit_2": (14, {1: 1, 3: 2})}
    return {
        f"{ours}_separable_{part}": f"block{theirs}_sepconv{index}"
        for ours, (theirs, parts) in blocks.items()
        for part, index in parts.items()
    }


def norm_values(norm: keras.Layer, values: tuple[np.ndarray, ...], layer: str) -> Iterator[Assignment]:
    """What a batch norm shall hold: gamma, beta, moving mean and moving variance."""
    variables = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    for variable, value in zip(variables, values, strict=True):
        yield variable, value, layer


def weights_of(original: keras.Model, name: str) -> list[np.ndarray]:
    """All weights of a layer; raises `ValueError` if there is no such layer."""
    return original.get_layer(name).get_weights()


def rgb(kernel: np.ndarray) -> np.ndarray:
    """A kernel for BGR pictures of 0..255, mean taken off, as one for ours."""
    return kernel[:, :, ::-1] * PICTURE_SCALE
