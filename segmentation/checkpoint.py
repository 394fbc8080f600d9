"""One `.keras` file holds everything that inference needs: network, label table, image size, and how it was trained."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from segmentation import optimizers  # noqa: F401  registers the optimizers that a file may name
from segmentation.backend import worth_compiling
from segmentation.files.atomic_write import atomic_write
from segmentation.labels.label_table import LabelTable
from segmentation.model_archive import METADATA, read_metadata, readable, require_plain_weights
from segmentation.networks.registry import import_networks
from segmentation.types import Size


@dataclass
class TrainedModel:
    """A network, and what must be known to use it or to train it further."""

    network: keras.Model
    label_table: LabelTable
    size: Size  # of the images that it was trained on
    settings: dict[str, str] = field(default_factory=dict)  # what must not change when training is resumed
    history: dict[str, list[float]] = field(default_factory=dict)  # results of every epoch so far
    run: str = ""  # id of the training run

    @property
    def completed_epochs(self) -> int:
        """How many epochs the network has been trained for."""
        return len(self.history.get("loss", []))

    @property
    def best_score(self) -> float:
        """Best validation mean IoU so far; -1 before the first epoch."""
        return max(self.history.get("val_mean_iou", []), default=-1.0)


def save_model(trained: TrainedModel, path: Path, with_optimizer: bool = False) -> None:
    """Write the file atomically. Raise `UserError` if it cannot be written.

    With the optimizer's state, training can go on as if it had never stopped, and the file is about three times as
    large. Without it, the file is for inference: an auxiliary head is left out too.
    """
    with atomic_write(path) as temporary:
        write_model(trained, temporary, with_optimizer)


def write_model(trained: TrainedModel, path: Path, with_optimizer: bool = False) -> None:
    """Write the file of `save_model`, but not atomically. Raise OSError if it cannot be written."""
    metadata = {
        "labels": trained.label_table.to_csv(),
        "height": trained.size[1],
        "width": trained.size[0],
        "recipe": trained.settings,
        "history": trained.history,
        "run": trained.run,
    }
    network = trained.network if with_optimizer else for_inference(trained.network)
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=1))


def load_model(path: Path, with_optimizer: bool = False) -> TrainedModel:
    """Read a file of `save_model` in Keras's safe mode, which runs no code from the file.

    Raise `UserError` if it is missing, or contains anything else than `save_model` writes.
    """
    metadata = read_metadata(path)
    import_networks()
    with readable(path):
        require_plain_weights(path)
        network = keras.saving.load_model(path, compile=with_optimizer, safe_mode=True)
        _require_fitting(network, len(metadata.label_table.class_names), with_optimizer)
        network.jit_compile = worth_compiling()
    return TrainedModel(network, metadata.label_table, metadata.size, metadata.settings, metadata.history, metadata.run)


def for_inference(network: keras.Model) -> keras.Model:
    """Return a copy without optimizer and auxiliary head, in float32, which runs on any machine."""
    plain = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    config = json.dumps(keras.saving.serialize_keras_object(plain))
    for policy in ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16"):
        config = config.replace(f'"{policy}"', '"float32"')
    copy = keras.saving.deserialize_keras_object(json.loads(config, object_hook=_without_initializer))
    copy.set_weights(plain.get_weights())
    return copy


def _without_initializer(part: dict[str, Any]) -> dict[str, Any]:
    """Replace an initializer by zeros: trained weights need none, and versions of Keras disagree on its arguments."""
    if part.get("module") == "keras.initializers":
        return keras.initializers.serialize(keras.initializers.Zeros())
    return part


def _require_fitting(network: Any, num_classes: int, with_optimizer: bool) -> None:
    """Raise `ValueError` unless the network computes a score per class and pixel, and can be trained if that is asked.

    Outputs are (batch, height, width, num_classes); an auxiliary head is a second output.
    """
    if not isinstance(network, keras.Model):
        raise ValueError(f"its network is a {type(network).__name__}")
    shapes = [tuple(tensor.shape) for tensor in (network.inputs[0], network.outputs[0])]
    if len(network.inputs) != 1 or shapes != [(None, None, None, 3), (None, None, None, num_classes)]:
        raise ValueError(
            f"its network turns {shapes[0]} into {shapes[1]}, but its label table has {num_classes} classes"
        )
    if with_optimizer and not network.compiled:
        raise ValueError("it contains no optimizer")
