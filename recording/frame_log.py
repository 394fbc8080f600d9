"""frames.csv: one row for every image of a dataset, appended only when its files are complete."""

import contextlib
import csv
import errno
import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recording.frame_rows import FrameRows, read_rows
from recording.run import image_number
from segmentation.dataset.layout import FRAME_COLUMNS, FRAME_TABLE, IDS, IMAGE, png_kinds, png_names, png_path
from segmentation.errors import UserError
from segmentation.files.atomic_write import remove_temporary_files
from segmentation.files.regular_file import require_regular_file
from segmentation.types import Size


class FrameLog:
    """The rows of a dataset's frames.csv. Threads may append."""

    def __init__(self, file: int, path: Path, rows: FrameRows) -> None:
        self.path = path
        self._file, self._columns = file, rows.columns
        self._counts, self._names, self._last_rows = rows.counts, rows.names, rows.last_rows
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Number of images of all runs."""
        return self._counts.total()

    def count(self, run: str) -> int:
        """Return the number of images of a run."""
        return self._counts[run]

    def next_number(self, run: str) -> int:
        """Return one more than the highest image number of this run, in frames.csv or the folder; 0 without images."""
        names = self._names | png_names(self.path.parent, IMAGE)
        return 1 + max((number for name in names if (number := image_number(name, run)) is not None), default=-1)

    def repair(self, run: str) -> None:
        """Repair what a recorder left behind when it was killed during this run.

        Add a row with name and run for every complete image without one; remove labels whose image was never written.
        Raise `UserError` if the folder cannot be written.
        """
        with _user_errors(self.path):
            self._add_missing_rows(run)
            self._remove_orphans(run)

    def require_same_settings(self, run: str, size: Size, fov: float, driving: str) -> None:
        """Raise `UserError` if the last image of the run was recorded with other settings: a run is one drive."""
        settings = {"width": str(size[0]), "height": str(size[1]), "fov": f"{fov:g}", "driving": driving}
        for name, value in settings.items():
            before = self._last_rows.get(run, {}).get(name)
            if before and before != value:
                raise UserError(
                    f"{self.path}: {run} was recorded with {name} {before}, not {value}; use another --seed or --output"
                )

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row, completely or not at all; from then on it survives the end of this process and a power cut.

        Raise OSError if there is no room.
        """
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n").writerow(row)
        line = text.getvalue().encode()
        with self._lock:
            end = os.lseek(self._file, 0, os.SEEK_END)
            try:
                # One call for the whole line: a killed process leaves all of it or nothing.
                if os.write(self._file, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, end)
                raise
            self._counts[row["run"]] += 1
            self._names.add(row["name"])

    def _add_missing_rows(self, run: str) -> None:
        folder = self.path.parent
        for name in sorted(png_names(folder, IMAGE) - self._names):
            if image_number(name, run) is not None and png_path(folder, IDS, name).exists():
                self.append({"name": name, "run": run})

    def _remove_orphans(self, run: str) -> None:
        folder = self.path.parent
        images = png_names(folder, IMAGE) | self._names
        for kind in png_kinds(folder):
            for name in png_names(folder, kind) - images:
                if image_number(name, run) is not None:
                    png_path(folder, kind, name).unlink()


@contextmanager
def open_frame_log(folder: Path) -> Iterator[FrameLog]:
    """Open the folder's frames.csv, create it if it is missing, and lock it for this process.

    Remove an incomplete last row, which a power cut can leave. At the end, remove a new file that got no row. Raise
    `UserError` if the folder or the file cannot be written, if the file is not usable (see `read_rows`; it is not
    changed then), or if another recorder is writing into the folder.
    """
    path = folder / FRAME_TABLE
    new_folder, new_file = not folder.exists(), not path.exists()
    with _user_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        if not new_file:
            require_regular_file(path)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    frame_log = None
    try:
        with _user_errors(path):
            _lock(file, path)
            remove_temporary_files(folder)
            rows, size, missing = read_rows(path, FRAME_COLUMNS)
            os.ftruncate(file, size)
            os.write(file, missing)
        frame_log = FrameLog(file, path, rows)
        yield frame_log
    finally:
        if new_file and not (frame_log and frame_log.total):
            _remove_empty(path, new_folder)
        os.close(file)


@contextmanager
def _user_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); make it writable or use another --output"
        ) from None


def _lock(file: int, path: Path) -> None:
    """Lock the file against other recorders, except on Windows; the lock ends with the process."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A recorder that ends without images removes its file, which must not be the one opened here.
            is_current = os.path.samestat(os.fstat(file), path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_current = False
        if not is_current:
            raise UserError(f"{path}: another recorder is writing here; wait or use another --output")


def _remove_empty(path: Path, with_folder: bool) -> None:
    """Remove a file without rows while it is still locked, and its folder if it is new too."""
    with contextlib.suppress(OSError):
        path.unlink()
        if with_folder:
            path.parent.rmdir()
