"""Resume an interrupted run, with the settings and the samples that it started with, and perhaps for more epochs."""

from collections.abc import Mapping

from segmentation.checkpoint import TrainedModel, load_model
from segmentation.errors import UserError
from segmentation.labels.label_table import LabelTable
from segmentation.model_files import ModelFiles
from segmentation.recipes import Recipe
from segmentation.training.compilation import learning_rate_schedule
from segmentation.training.run_files import is_best_of, require_resumable, save_best

EPOCHS = "epochs"  # the setting that may change
CONTENTS = "images or labels"  # the setting with the hash of their contents, which earlier checkpoints do not have


def resume(
    files: ModelFiles, settings: Mapping[str, str], label_table: LabelTable, recipe: Recipe, steps_per_epoch: int
) -> TrainedModel:
    """Load the last checkpoint of a run, with its optimizer, to train until it has `settings[EPOCHS]` epochs.

    If the best model could not be written before the run was stopped, write it. Raise `UserError` if the files do not
    belong together, or if the run was trained with other settings or another label table.
    """
    require_resumable(files)
    trained = load_model(files.last, with_optimizer=True)
    _require_same(trained, settings, label_table, files)
    if not is_best_of(files.best, trained):
        save_best(trained, files)
    _set_epochs(trained, int(settings[EPOCHS]), recipe, steps_per_epoch, files)
    return trained


def _require_same(
    trained: TrainedModel, settings: Mapping[str, str], label_table: LabelTable, files: ModelFiles
) -> None:
    names_alone = CONTENTS not in trained.settings
    compared = [name for name in settings if name != EPOCHS and not (names_alone and name == CONTENTS)]
    changed = [name for name in compared if trained.settings.get(name) != settings[name]]
    if changed or trained.label_table != label_table:
        what = ", ".join(changed) or "labels.csv"
        raise UserError(
            f"{files.last}: was trained with other settings ({what}); use the same, or train without --resume"
        )
    if names_alone:
        print(f"{files.last}: has no hash of its images and labels, so only their names were compared")
        trained.settings[CONTENTS] = settings[CONTENTS]


def _set_epochs(trained: TrainedModel, epochs: int, recipe: Recipe, steps_per_epoch: int, files: ModelFiles) -> None:
    """Let the learning rate follow the schedule of a run of that many epochs, and say so if that is a change."""
    completed, planned = trained.completed_epochs, trained.settings.get(EPOCHS)
    if epochs < completed:
        raise UserError(f"--epochs is {epochs}, but {files.last} already has {completed}; give more")
    if epochs == completed:
        print(f"{files.last} already has its {completed} epochs; give a larger --epochs to train on")
    elif planned != str(epochs):
        schedule = learning_rate_schedule(recipe, steps_per_epoch, epochs)
        trained.network.optimizer.learning_rate = schedule
        trained.settings[EPOCHS] = str(epochs)
        now, end = (float(schedule(steps_per_epoch * epoch)) for epoch in (completed, epochs))
        print(
            f"Training from epoch {completed} to {epochs} instead of {planned}: the learning rate continues at "
            f"{now:.2g} and ends at {end:.2g}"
        )
