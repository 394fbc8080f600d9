"""Open a dataset folder: its samples, each an image with its labels."""

from dataclasses import dataclass
from pathlib import Path

from segmentation.dataset.layout import IDS, IMAGE, LABEL_TABLE, find_images, find_labels, png_path, read_runs
from segmentation.errors import UserError
from segmentation.images import read_coloured_ids, read_ids, read_image
from segmentation.labels import LabelTable, read_label_table
from segmentation.types import UInt8Array


@dataclass(frozen=True)
class Sample:
    """An image, its labels if there are any, and the recording run that it belongs to ("" if unknown)."""

    name: str
    image: Path
    label: Path | None = None
    coloured: bool = False  # the label file shows colours instead of ids
    run: str = ""

    def read_image(self) -> UInt8Array:
        """Return the RGB image, (height, width, 3)."""
        return read_image(self.image)

    def read_ids(self, label_table: LabelTable) -> UInt8Array:
        """Return the label ids, (height, width). Raise `UserError` if there are none."""
        if self.label is None:
            raise UserError(f"{self.image}: has no labels; add {IDS}_{self.name}.png")
        return read_coloured_ids(self.label, label_table) if self.coloured else read_ids(self.label)


@dataclass(frozen=True)
class Dataset:
    """The samples of a folder, sorted by name, and the problems with its list of files."""

    folder: Path
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]

    @property
    def label_table(self) -> Path:
        """The path of the folder's `labels.csv`, which may not exist."""
        return self.folder / LABEL_TABLE

    def read_label_table(self) -> LabelTable:
        """Return the folder's `labels.csv`. Raise `UserError` if it is missing or invalid."""
        return read_label_table(self.label_table)


def open_dataset(folder: Path) -> Dataset:
    """Find the samples of `folder` without decoding any file.

    Raise `UserError` if the folder is missing or has no image.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; record one with 01 or name another")
    images, duplicates = find_images(folder)
    if not images:
        example = png_path(Path(), IMAGE, "NAME")
        raise UserError(f"{folder}: no images ({example}); record some with 01 or name another folder")
    labels = find_labels(folder)
    runs, invalid_rows = read_runs(folder)
    samples = []
    for name, image in sorted(images.items()):
        label, coloured = labels.get(name, (None, False))
        samples.append(Sample(name, image, label, coloured, runs.get(name, "")))
    orphans = sorted(path for name, (path, _) in labels.items() if name not in images)
    unpaired = [f"{path}: has no image; add it or remove the labels" for path in orphans]
    return Dataset(folder, tuple(samples), (*duplicates, *invalid_rows, *unpaired))
