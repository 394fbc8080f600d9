"""Start a training from a network that was trained before, on pictures of its own classes or of others."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from segmentation.errors import UserError
from segmentation.model_file import load_model


def start_from(network: keras.Model, classes: Sequence[str], path: Path) -> int:
    """Give the network the weights of the model in `path`; returns how many of `classes` that one knew by name.

    The scores of a class that it did not know start afresh. Raises `UserError` when its layers are others.
    """
    trained = load_model(path)
    sources = {layer.name: layer for layer in trained.network.layers}
    known = [name for name in classes if name in trained.labels.classes]
    for layer in network.layers:
        if layer.name not in sources:
            if layer.weights and not layer.name.startswith("auxiliary"):  # a head that model files leave out
                raise _other_layers(path)
        elif layer.name == "class_scores":
            _take_classes(layer, sources[layer.name], classes, trained.labels.classes)
        elif [weight.shape for weight in layer.weights] != [weight.shape for weight in sources[layer.name].weights]:
            raise _other_layers(path)
        else:
            layer.set_weights(sources[layer.name].get_weights())
    return len(known)


def _take_classes(layer: keras.Layer, source: keras.Layer, classes: Sequence[str], theirs: Sequence[str]) -> None:
    """Copy what makes the scores of the classes that both know."""
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)  # its kernel is (height, width, classes, maps)
    pairs = [(number, theirs.index(name)) for number, name in enumerate(classes) if name in theirs]
    weights = layer.get_weights()
    for axis, mine, other in zip((2 if transposed else 3, 0), weights, source.get_weights(), strict=True):
        mine, other = np.moveaxis(mine, axis, 0), np.moveaxis(other, axis, 0)
        for to, of in pairs:
            mine[to] = other[of]
    layer.set_weights(weights)


def _other_layers(path: Path) -> UserError:
    return UserError(
        f"{path}: its network has other layers; give --start-from a model of the same architecture, variant and shape"
    )
