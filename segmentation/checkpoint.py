"""One `.keras` file holds everything that inference needs: network, label table, image size, and how it was trained."""

import json
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from segmentation import optimizers  # noqa: F401  registers the optimizers that a file may name
from segmentation.atomic_write import atomic_write
from segmentation.backend import worth_compiling
from segmentation.errors import UserError
from segmentation.labels import LabelTable, parse_label_table
from segmentation.networks.registry import import_networks
from segmentation.types import Size

METADATA = "segmentation.json"  # our entry in the archive that Keras writes


@dataclass
class TrainedModel:
    """A network, and what must be known to use it or to train it further."""

    network: keras.Model
    label_table: LabelTable
    size: Size  # of the images that it was trained on
    settings: dict[str, str] = field(default_factory=dict)  # what must not change when training is resumed
    history: dict[str, list[float]] = field(default_factory=dict)  # results of every epoch so far

    @property
    def best_score(self) -> float:
        """Best validation mean IoU so far; -1 before the first epoch."""
        return max(self.history.get("val_mean_iou", []), default=-1.0)


@dataclass(frozen=True)
class ModelFiles:
    """What a training run writes: the best model and, next to it, the files named after it."""

    best: Path

    @property
    def last(self) -> Path:
        """The model after the last complete epoch, with its optimizer."""
        return self.best.with_name(f"{self.best.stem}_last.keras")

    @property
    def previous(self) -> Path:
        """The best model of the run before."""
        return self.best.with_name(f"{self.best.stem}_previous.keras")

    @property
    def curves(self) -> Path:
        """Loss and mean IoU by epoch, as an image."""
        return self.best.with_name(f"{self.best.stem}_curves.png")

    def require_writable(self) -> None:
        """Create the folder. Raise `UserError` if no file can be written there."""
        folder = self.best.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UserError(f"{folder}: cannot be written to ({error.strerror}); name another with --model") from None


def newest_model(folder: Path) -> Path:
    """Return the best model of the newest training run. Raise `UserError` if there is none."""
    models = [path for path in folder.glob("[!.]*.keras") if not path.stem.endswith(("_last", "_previous"))]
    if not models:
        raise UserError(f"{folder}: contains no model; train one with 02_fc_densenet.py or name one with --model")
    return max(models, key=lambda path: path.stat().st_mtime)


def save_model(trained: TrainedModel, path: Path, with_optimizer: bool = False) -> None:
    """Write the file atomically. Raise `UserError` if it cannot be written.

    With the optimizer's state, training can go on as if it had never stopped, and the file is about three times as
    large. Without it, the file is for inference: an auxiliary head is left out too.
    """
    metadata = {
        "labels": trained.label_table.to_csv(),
        "height": trained.size[1],
        "width": trained.size[0],
        "recipe": trained.settings,
        "history": trained.history,
    }
    network = trained.network if with_optimizer else for_inference(trained.network)
    with atomic_write(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(METADATA, json.dumps(metadata, indent=1))


def load_model(path: Path, with_optimizer: bool = False) -> TrainedModel:
    """Read a file of `save_model` in Keras's safe mode, which runs no code from the file.

    Raise `UserError` if it is missing, broken, or contains no label table.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such model; train one with 02_fc_densenet.py or name another with --model")
    import_networks()
    try:
        with zipfile.ZipFile(path) as archive:
            if METADATA not in archive.namelist():
                raise UserError(f"{path}: contains no label table; use a model that 02_fc_densenet.py saved")
            metadata = json.loads(archive.read(METADATA))
        network = keras.saving.load_model(path, compile=with_optimizer, safe_mode=True)
        network.jit_compile = worth_compiling()
    except (zipfile.BadZipFile, OSError, ValueError, TypeError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: cannot be read as a model ({reason}); train it again") from None
    label_table = parse_label_table(metadata["labels"], f"labels in {path}")
    # Earlier files call the images pictures.
    settings = {name.replace("pictures", "images"): value for name, value in metadata["recipe"].items()}
    return TrainedModel(network, label_table, (metadata["width"], metadata["height"]), settings, metadata["history"])


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
