"""The files of a training run: names, folder, lock and leftovers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from segmentation.errors import UserError
from segmentation.files.atomic_write import remove_temporary_files_of
from segmentation.files.lock import exclusive
from segmentation.files.regular_file import require_regular_file

RESERVED = ("_last", "_previous")  # ends of names of files beside a best model


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

    @property
    def started(self) -> Path:
        """The id of a run that has started and has not completed an epoch yet."""
        return self.best.with_name(f"{self.best.stem}_started.txt")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Create the folder, keep other trainings from writing these files, and remove what killed ones left.

        Raise `UserError` if no file can be written there, or while another training writes these.
        """
        self._require_writable()
        busy = f"{self.best}: another training is writing it; wait for its end, or name another file with --model"
        with exclusive(self.best.with_name(f".{self.best.stem}.lock"), busy):
            remove_temporary_files_of(self._all)
            yield

    @property
    def _all(self) -> tuple[Path, ...]:
        return self.best, self.last, self.previous, self.curves, self.started

    def _require_writable(self) -> None:
        folder = self.best.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UserError(f"{folder}: cannot be written to ({error.strerror}); name another with --model") from None
        for path in self._all:
            with suppress(FileNotFoundError):
                require_regular_file(path)  # refuses a name that is too long, too


def require_model_name(path: Path) -> None:
    """Raise `UserError` unless `path` can be the name of a best model."""
    if path.suffix != ".keras":
        raise UserError(f"--model is {path}; its name must end in .keras")
    if path.stem.endswith(RESERVED):
        raise UserError(f"--model is {path}; names that end in {' or '.join(RESERVED)} belong to another model's files")


def newest_model(folder: Path) -> Path:
    """Return the best model of the newest training run. Raise `UserError` if there is none."""
    models = [path for path in folder.glob("[!.]*.keras") if not path.stem.endswith(RESERVED)]
    if not models:
        raise UserError(f"{folder}: contains no model; train one with 02_fc_densenet.py or name one with --model")
    return max(models, key=lambda path: path.stat().st_mtime)
