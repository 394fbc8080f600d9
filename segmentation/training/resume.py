"""Resume an interrupted run, with the settings and the samples that it started with."""

from collections.abc import Mapping
from pathlib import Path

from segmentation.checkpoint import TrainedModel, load_model
from segmentation.errors import UserError
from segmentation.labels import LabelTable


def resume(path: Path, settings: Mapping[str, str], label_table: LabelTable) -> TrainedModel:
    """Load the last checkpoint of a run, with its optimizer.

    Raise `UserError` if it was trained with other settings or another label table.
    """
    trained = load_model(path, with_optimizer=True)
    changed = [name for name in settings if trained.settings.get(name) != settings[name]]
    if changed or trained.label_table != label_table:
        what = ", ".join(changed) or "labels.csv"
        raise UserError(f"{path}: was trained with a different {what}; give the same, or train without --resume")
    return trained
