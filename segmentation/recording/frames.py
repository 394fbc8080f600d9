"""frames.csv: one row for every picture of a dataset, appended only when its files are whole."""

import contextlib
import csv
import io
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segmentation.errors import UserError

COLUMNS = (
    *("name", "run", "frame", "time", "town", "weather", "camera", "x", "y", "z", "pitch", "yaw", "roll"),
    *("speed", "width", "height", "fov", "driving", "seed", "version"),
)
"""time: simulated seconds; x, y, z: metres, pitch, yaw, roll: degrees, of the camera in the world's axes (x
forward, y right, z up); speed: of the car, m/s; width, height: pixels; fov: degrees, horizontal; version: the
server's. A pinhole camera's focal length in pixels is width / (2 tan(fov / 2)), its centre the picture's."""


class FrameLog:
    """The rows of a dataset's frames.csv. Threads may append."""

    def __init__(self, file: int, path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
        self.path = path
        self._file, self._columns = file, columns
        self._lock = threading.Lock()
        self._runs = Counter(row["run"] for row in rows)
        self._names = {row["name"] for row in rows}
        self._last = {row["run"]: row for row in rows}

    @property
    def total(self) -> int:
        """Pictures of all runs."""
        return self._runs.total()

    def count(self, run: str) -> int:
        """Pictures recorded in a run."""
        return self._runs[run]

    def next_number(self, run: str) -> int:
        """The number after the highest that a picture of this run has, in the table or in the folder."""
        names = self._names | _pictures(self.path.parent)
        return 1 + max((number for name in names if (number := _number(name, run)) is not None), default=-1)

    def mend(self, run: str) -> None:
        """Put right what a recorder that was killed in this run left between two steps.

        Whole pictures that have no row get one, with name and run; labels whose picture was never written go.
        Raises `UserError` where the folder cannot be written.
        """
        with _told(self.path):
            self._mend(run, self.path.parent)

    def _mend(self, run: str, folder: Path) -> None:
        for name in sorted(_pictures(folder) - self._names):
            if _number(name, run) is not None and (folder / "seg_raw" / f"seg_raw_{name}.png").exists():
                self.append({"name": name, "run": run})
        for kind in folder.iterdir():
            for path in kind.glob(f"{kind.name}_{run}_*.png") if kind.is_dir() else ():
                name = path.stem.removeprefix(f"{kind.name}_")
                if _number(name, run) is not None and not _is_whole(folder, name) and name not in self._names:
                    path.unlink()

    def require_alike(self, run: str, size: tuple[int, int], fov: float, driving: str) -> None:
        """Raise `UserError` when the run's last picture was recorded in another way: one run is one drive."""
        now = {"width": str(size[0]), "height": str(size[1]), "fov": f"{fov:g}", "driving": driving}
        for name, value in now.items():
            before = self._last.get(run, {}).get(name)
            if before and before != value:
                way = f"{name} {before}, not {value}"
                raise UserError(f"{self.path}: {run} was recorded with {way}; give another --seed or --output")

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row that stays, whatever happens to this process or to the machine's power; all or nothing.

        Raises OSError when there is no room.
        """
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n").writerow(row)
        line = text.getvalue().encode()
        with self._lock:
            end = os.lseek(self._file, 0, os.SEEK_END)
            try:
                # One call for the whole line: a process that is killed has made it or has not.
                if os.write(self._file, line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, end)
                raise
            self._runs[row["run"]] += 1
            self._names.add(row["name"])


@contextmanager
def open_frames(folder: Path) -> Iterator[FrameLog]:
    """The folder's frames.csv, made when missing; held for this process alone.

    A row that a power cut left torn is cut off; a file that is new and gets no row is removed again. Raises
    `UserError` when the folder or the file cannot be written, lacks the columns name and run, or another
    recorder is at work in the folder.
    """
    path = folder / "frames.csv"
    new_folder, new_file = not folder.exists(), not path.exists()
    with _told(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    frames = None
    try:
        with _told(path):
            _hold(file, path)
            _remove_unfinished(folder)
            columns, rows = _read(file, path)
        frames = FrameLog(file, path, columns, rows)
        yield frames
    finally:
        os.close(file)
        if new_file and not (frames and frames.total):
            with contextlib.suppress(OSError):
                path.unlink()
                if new_folder:
                    folder.rmdir()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); free it or name another --output") from None


def _hold(file: int, path: Path) -> None:
    """Keep other recorders off, where the system can (not on Windows); a dead process holds nothing."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path}: another recorder is writing here; wait or name another --output") from None


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob("*/.*.part"):
        path.unlink(missing_ok=True)


def _read(file: int, path: Path) -> tuple[list[str], list[dict[str, str]]]:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if not whole:
        os.ftruncate(file, 0)
        os.write(file, (",".join(COLUMNS) + "\n").encode())
        return list(COLUMNS), []
    if len(whole) < len(content):
        last = content[len(whole) :].decode("utf-8", "replace")
        # Written elsewhere without a final line break, the last row is whole; torn, its picture gets a new one.
        if last.count(",") == whole.splitlines()[0].count(b",") and _is_whole(path.parent, last.split(",")[0]):
            os.write(file, b"\n")
        else:
            os.ftruncate(file, len(whole))
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, restval="")
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}); mend or remove it") from None
    columns = list(reader.fieldnames or ())
    if not {"name", "run"} <= set(columns):
        raise UserError(f"{path}: needs the columns name and run; mend or remove it")
    return columns, rows


def _is_whole(folder: Path, name: str) -> bool:
    return (folder / "rgb" / f"rgb_{name}.png").exists()


def _pictures(folder: Path) -> set[str]:
    return {path.stem.removeprefix("rgb_") for path in (folder / "rgb").glob("rgb_*.png")}


def _number(name: str, run: str) -> int | None:
    match = re.fullmatch(re.escape(run) + r"_(\d{6,})", name)
    return int(match[1]) if match else None
