"""Find pictures and their labels in a dataset folder, and read them.

    rgb/rgb_NAME.png   seg_raw/seg_raw_NAME.png   labels.csv   frames.csv

Also read: a flat folder of `rgb_NAME.png` next to `seg_raw_NAME.png` (ids) or `seg_NAME.png` (ids in the
colours of `labels.csv`), and labels with three channels that hold the id in the red one.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from segmentation.errors import UserError
from segmentation.images import read_coloured_ids, read_ids, read_picture
from segmentation.labels import Bytes, LabelTable, read_labels

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LABEL_SUFFIXES = (".png", ".bmp")  # JPEG and WebP would change ids


@dataclass(frozen=True)
class Sample:
    """A picture, its labels where there are any, and the recording run that it belongs to ("" unknown)."""

    name: str
    picture: Path
    label: Path | None = None
    coloured: bool = False  # the label file shows colours instead of ids
    run: str = ""

    def read_picture(self) -> Bytes:
        """RGB, (height, width, 3)."""
        return read_picture(self.picture)

    def read_ids(self, table: LabelTable) -> Bytes:
        """Label ids, (height, width)."""
        if self.label is None:
            raise UserError(f"{self.picture}: has no labels; add seg_raw_{self.name}.png")
        return read_coloured_ids(self.label, table) if self.coloured else read_ids(self.label)


@dataclass(frozen=True)
class Dataset:
    """The samples of a folder in the order of their names, and what is wrong with its list of files."""

    folder: Path
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]

    def read_labels(self) -> LabelTable:
        """The folder's `labels.csv`."""
        return read_labels(self.folder / "labels.csv")


def open_dataset(folder: Path) -> Dataset:
    """Find the samples of `folder`; nothing is decoded.

    Raises `UserError` when the folder is missing or has no picture.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; record one with 01 or name another")
    flat = not (folder / "rgb").is_dir()
    pictures, twins = _pictures(folder if flat else folder / "rgb", flat)
    if not pictures:
        raise UserError(f"{folder}: no pictures (rgb/rgb_NAME.png); record some with 01 or name another folder")
    labels = _labels(folder if flat else folder / "seg_raw", flat)
    runs, wrong_rows = _runs(folder / "frames.csv")
    samples = [
        Sample(name, path, *labels.get(name, (None, False)), run=runs.get(name, ""))
        for name, path in sorted(pictures.items())
    ]
    widowed = sorted(path for name, (path, _) in labels.items() if name not in pictures)
    alone = [f"{path}: has no picture; add it or remove the labels" for path in widowed]
    return Dataset(folder, tuple(samples), (*twins, *wrong_rows, *alone))


def _pictures(folder: Path, flat: bool) -> tuple[dict[str, Path], list[str]]:
    """Picture of every name, and a problem for each that has the name of another."""
    found: dict[str, Path] = {}
    twins: list[str] = []
    for path in _files(folder, PICTURE_SUFFIXES):
        if flat and path.stem.startswith("seg_"):
            continue
        name = path.stem.removeprefix("rgb_")
        if name in found:
            twins.append(f"{path}: {found[name].name} has the same name; remove one of them")
        found[name] = path
    return found, twins


def _labels(folder: Path, flat: bool) -> dict[str, tuple[Path, bool]]:
    """Label file of every name, and whether it shows colours; ids win over colours."""
    found: dict[str, tuple[Path, bool]] = {}
    for path in _files(folder, LABEL_SUFFIXES):
        if path.stem.startswith("seg_raw_"):
            found[path.stem.removeprefix("seg_raw_")] = (path, False)
        elif flat and path.stem.startswith("seg_"):
            found.setdefault(path.stem.removeprefix("seg_"), (path, True))
        elif not flat:
            found[path.stem] = (path, False)
    return found


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def _runs(path: Path) -> tuple[dict[str, str], list[str]]:
    """Recording run of every name in `frames.csv`, and what is wrong with it; nothing when there is no such file."""
    if not path.exists():
        return {}, []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return {}, [f"{path}: cannot be read ({error}); mend or remove it"]
    wrong = [str(line) for line, row in enumerate(rows, 2) if not row.get("name") or row.get("run") is None]
    if wrong:
        return {}, [f"{path}: no name or no run in line {', '.join(wrong)}; mend or remove it"]
    return {row["name"]: row["run"] for row in rows}, []
