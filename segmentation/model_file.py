"""One `.keras` file holds all that inference needs: network, label table, picture size, and how it was trained."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from segmentation import optimizer  # noqa: F401  registers the optimizers that a file may name
from segmentation.backend import worth_compiling
from segmentation.errors import UserError
from segmentation.labels import LabelTable, parse_labels
from segmentation.networks import catalogue  # noqa: F401  registers the layers that a file may name
from segmentation.whole_file import whole_file

NOTES = "segmentation.json"  # our part of the archive that Keras writes


@dataclass
class TrainedModel:
    """A network and what must be known to use it or to train it further."""

    network: keras.Model
    labels: LabelTable
    height: int  # of the pictures it was trained on, pixels
    width: int
    recipe: dict[str, Any] = field(default_factory=dict)  # settings and held-out pictures that it was trained with
    history: dict[str, list[float]] = field(default_factory=dict)  # figures of every epoch so far

    @property
    def best_score(self) -> float:
        """Best validation mean IoU so far; -1 before the first epoch."""
        return max(self.history.get("val_mean_iou", []), default=-1.0)


def save_model(trained: TrainedModel, path: Path, with_optimizer: bool = False) -> None:
    """Write the file, whole.

    With the optimizer's state the file can be trained further as if nothing had happened, and is about three times
    as large; without it, an auxiliary head is left out too. Raises `UserError` when it cannot be written.
    """
    notes = {
        "labels": trained.labels.to_csv(),
        "height": trained.height,
        "width": trained.width,
        "recipe": trained.recipe,
        "history": trained.history,
    }
    network = trained.network if with_optimizer else for_inference(trained.network)
    with whole_file(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(NOTES, json.dumps(notes, indent=1))


def for_inference(network: keras.Model) -> keras.Model:
    """The same layers and weights, without optimizer and auxiliary head, in float32: it is for any machine."""
    plain = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    config = json.dumps(keras.saving.serialize_keras_object(plain))
    for policy in ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16"):
        config = config.replace(f'"{policy}"', '"float32"')
    copy = keras.saving.deserialize_keras_object(json.loads(config, object_hook=_without_start))
    copy.set_weights(plain.get_weights())
    return copy


def _without_start(part: dict) -> dict:
    """Zeros in place of an initializer, which trained weights do not need: versions of Keras disagree on arguments."""
    if part.get("module") == "keras.initializers":
        return keras.initializers.serialize(keras.initializers.Zeros())
    return part


def load_model(path: Path, with_optimizer: bool = False) -> TrainedModel:
    """Read a file of `save_model` in Keras's safe mode: no code in it is run.

    Raises `UserError` when it is missing, broken, or holds no label table.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such model; train one with 02_fc_densenet.py or name another with --model")
    try:
        with zipfile.ZipFile(path) as archive:
            if NOTES not in archive.namelist():
                raise UserError(f"{path}: holds no label table; use a model that 02_fc_densenet.py saved")
            notes = json.loads(archive.read(NOTES))
        network = keras.saving.load_model(path, compile=with_optimizer, safe_mode=True)
        network.jit_compile = worth_compiling()
    except (zipfile.BadZipFile, OSError, ValueError, TypeError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: cannot be read as a model ({reason}); train it again") from None
    labels = parse_labels(notes["labels"], f"labels in {path}")
    return TrainedModel(network, labels, notes["height"], notes["width"], notes["recipe"], notes["history"])


def newest_model(folder: Path) -> Path:
    """The model that was trained last, best of its training; raises `UserError` when there is none."""
    models = [path for path in folder.glob("[!.]*.keras") if not path.stem.endswith(("_last", "_previous"))]
    if not models:
        raise UserError(f"{folder}: holds no model; train one with 02_fc_densenet.py or name one with --model")
    return max(models, key=lambda path: path.stat().st_mtime)
