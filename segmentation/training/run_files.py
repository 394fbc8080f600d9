"""Keep the files of a run consistent: the best model is always complete, and files of other runs are recognised.

After an epoch, the last model is written first: if the process ends before the best one is written, `resume` writes
that from it. A new best replaces that of an earlier run only when it is complete, which keeps the earlier one as
NAME_previous.keras. NAME_started.txt exists from the start of a run to the end of its first epoch, when the last model
is still that of an earlier run.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import keras

from segmentation.checkpoint import TrainedModel, load_model, save_model, write_model
from segmentation.errors import UserError
from segmentation.files.atomic_write import atomic_write, temporary_path
from segmentation.model_archive import Metadata, read_metadata
from segmentation.model_files import ModelFiles


def mark_start(trained: TrainedModel, files: ModelFiles) -> None:
    """Record that a new run has started. Raise `UserError` if that cannot be written."""
    with atomic_write(files.started) as temporary:
        temporary.write_text(trained.run)


def save_epoch(trained: TrainedModel, files: ModelFiles, improved: bool) -> None:
    """Save the last model and, if it has `improved`, the best. Raise `UserError` if there is no room."""
    save_model(trained, files.last, with_optimizer=True)
    if improved:
        save_best(trained, files)
    with suppress(OSError):  # it does no harm beside a last model of its own run
        files.started.unlink()


def save_best(trained: TrainedModel, files: ModelFiles) -> None:
    """Save the best model, and keep that of an earlier run. Raise `UserError` if there is no room."""
    with atomic_write(files.best) as temporary:
        write_model(trained, temporary)
        if files.best.exists() and not _is_of_run(files.best, trained.run):
            _keep_as(files.best, files.previous)


def require_resumable(files: ModelFiles) -> None:
    """Raise `UserError` if there is no run to resume, or if its files are not those of the newest run."""
    if files.started.exists():
        newest = files.started.read_text(errors="replace")
        if not files.last.exists() or read_metadata(files.last).run != newest:
            earlier = f", or delete {files.started} to continue an earlier one" if files.last.exists() else ""
            raise UserError(
                f"{files.best}: its newest training was stopped before the first epoch was complete and left nothing "
                f"to continue; start it again without --resume{earlier}"
            )
    if not files.last.exists():
        raise UserError(f"{files.last}: no such model, so there is nothing to continue; train without --resume")
    last = read_metadata(files.last)
    if not is_best_of(files.best, last) and best_epoch(last.history) < len(last.history.get("val_mean_iou", [])):
        raise UserError(
            f"{files.best}: is missing, or not the best model of the training that {files.last} continues; put it "
            f"back, or train without --resume but with --start-from {files.last}"
        )


def load_best(trained: TrainedModel, files: ModelFiles) -> keras.Model:
    """Return the best network of this run. Raise `UserError` if the file contains another one."""
    best = load_model(files.best)
    if not is_best_of(files.best, trained):
        raise UserError(
            f"{files.best}: another program replaced it during this training, so it is not scored; the network of this "
            f"training's last epoch is in {files.last}"
        )
    return best.network


def is_best_of(path: Path, trained: TrainedModel | Metadata) -> bool:
    """Return whether the file contains the best network so far of that run."""
    try:
        best = read_metadata(path)
    except UserError:
        return False
    scores, best_scores = (part.history.get("val_mean_iou", []) for part in (trained, best))
    return best.run == trained.run and best_scores == scores[: best_epoch(trained.history)]


def best_epoch(history: Mapping[str, Sequence[float]]) -> int:
    """Return the number of the epoch with the best score, counted from 1; 0 if there is none."""
    scores = history.get("val_mean_iou", [])
    return scores.index(max(scores)) + 1 if scores else 0


def _is_of_run(path: Path, run: str) -> bool:
    try:
        return read_metadata(path).run == run
    except UserError:  # whatever it is, it is not lost
        return False


def _keep_as(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` or, where the file system has no links, a copy of it."""
    temporary = temporary_path(target)
    try:
        os.link(source, temporary)
        temporary.replace(target)
    except OSError:
        with atomic_write(target) as copy:
            shutil.copyfile(source, copy)
    finally:
        temporary.unlink(missing_ok=True)
