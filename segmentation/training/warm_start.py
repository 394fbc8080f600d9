"""Initialise a network from one that was trained before, on the same classes or on others."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from segmentation.checkpoint import load_model
from segmentation.errors import UserError


def warm_start(network: keras.Model, class_names: Sequence[str], path: Path) -> int:
    """Copy the weights of the model in `path`; return how many of `class_names` that model knows.

    The classifier's weights are matched by class name; those of new classes keep their initial values. Raise
    `UserError` if the layers differ.
    """
    trained = load_model(path)
    sources = {layer.name: layer for layer in trained.network.layers}
    known = [name for name in class_names if name in trained.label_table.class_names]
    for layer in network.layers:
        if layer.name not in sources:
            if layer.weights and not layer.name.startswith("auxiliary"):  # inference models have no auxiliary head
                raise _different_layers(path)
        elif layer.name == "class_scores":
            _copy_classifier(layer, sources[layer.name], class_names, trained.label_table.class_names)
        elif [weight.shape for weight in layer.weights] != [weight.shape for weight in sources[layer.name].weights]:
            raise _different_layers(path)
        else:
            layer.set_weights(sources[layer.name].get_weights())
    return len(known)


def _copy_classifier(
    layer: keras.Layer, source: keras.Layer, class_names: Sequence[str], source_names: Sequence[str]
) -> None:
    """Copy the weights of the classes that both know."""
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)  # its kernel is (height, width, classes, features)
    pairs = [(index, source_names.index(name)) for index, name in enumerate(class_names) if name in source_names]
    weights = layer.get_weights()
    for axis, target, original in zip((2 if transposed else 3, 0), weights, source.get_weights(), strict=True):
        target, original = np.moveaxis(target, axis, 0), np.moveaxis(original, axis, 0)
        for target_index, source_index in pairs:
            target[target_index] = original[source_index]
    layer.set_weights(weights)


def _different_layers(path: Path) -> UserError:
    return UserError(
        f"{path}: its network has other layers; give --start-from a model of the same architecture, variant and shape"
    )
