"""Open a dataset folder: its samples, each an image with its labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np

from segmentation.dataset.frame_table import read_runs
from segmentation.dataset.layout import LABEL_TABLE
from segmentation.dataset.layouts.known_layouts import PHOTOS, Layout, part_of
from segmentation.dataset.layouts.layout_file import LAYOUT_FILE, read_layout_file
from segmentation.dataset.layouts.listing import Listing, list_files
from segmentation.dataset.layouts.pairing import Pairing, describe_problems, describe_rest, find_pairs, pair
from segmentation.dataset.layouts.unknown_layout import (
    describe_folder,
    explain_missing_labels,
    require_folder,
    require_known_layout,
    require_matches,
)
from segmentation.errors import UserError
from segmentation.files.image_files import orientation
from segmentation.files.images import read_image
from segmentation.labels.label_files import Encoding, read_label
from segmentation.labels.label_table import LABEL_TABLES, LabelTable, read_label_table
from segmentation.types import UInt8Array


@dataclass(frozen=True)
class Sample:
    """An image, its labels if there are any, and the recording run that it belongs to ("" if unknown).

    `encoding` is what the labels' place lets expect, `part` is "train", "val" or "test" where the folder has such
    parts, else "".
    """

    name: str
    image: Path
    label: Path | None = None
    encoding: Encoding | None = None
    run: str = ""
    part: str = ""

    def read_image(self) -> UInt8Array:
        """Return the RGB image, (height, width, 3)."""
        return read_image(self.image)

    def read_ids(self, label_table: LabelTable) -> UInt8Array:
        """Return the label ids, (height, width). Raise `UserError` if there are none."""
        if self.label is None:
            raise UserError(f"{self.image}: has no labels; add them or remove the image")
        return read_label(self.label, label_table, self.encoding)

    def read_pair(self, label_table: LabelTable) -> tuple[UInt8Array, UInt8Array]:
        """Return the image (height, width, 3) and its label ids (height, width).

        Raise `UserError` if one cannot be read, if their sizes differ, or if EXIF turns only one of them and their
        sizes do not prove that this is right.
        """
        image, ids = self.read_image(), self.read_ids(label_table)
        if ids.shape != image.shape[:2]:
            raise UserError(
                f"{self.label}: is {_size(ids)} but its image {self.image.name} is {_size(image)}; "
                "record or export both at one size"
            )
        self._require_same_orientation(ids.shape)
        return image, ids

    def _require_same_orientation(self, shape: tuple[int, ...]) -> None:
        assert self.label is not None
        of_image, of_label = orientation(self.image), orientation(self.label)
        # Orientations 5 to 8 swap height and width: equal sizes then show that the other file is upright already.
        proven = (of_image >= 5) != (of_label >= 5) and shape[0] != shape[1]
        if of_image != of_label and not proven:
            raise UserError(
                f"{self.label}: its EXIF orientation is {of_label} but that of its image {self.image.name} is "
                f"{of_image}, so one of them may be turned or mirrored; save both upright, without that tag"
            )


@dataclass(frozen=True)
class Dataset:
    """The samples of a folder, sorted by name, and what is to be told about its files.

    `problems` are faults of the list of files, `run_problems` those of `frames.csv`, which matter for training alone;
    `notes` are no faults. `label_table` is the path of the label table, which may not exist. `layout` names the
    arrangement of the files.
    """

    folder: Path
    samples: tuple[Sample, ...]
    problems: tuple[str, ...] = ()
    run_problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    label_table: Path = Path(LABEL_TABLE)
    layout: str = ""

    def read_label_table(self) -> LabelTable:
        """Return the folder's label table, or that of its layout. Raise `UserError` if it is missing or invalid."""
        return read_label_table(self.label_table)

    def require_labels(self) -> None:
        """Raise `UserError`, which says what the folder holds, if not a single image has labels."""
        if not any(sample.label for sample in self.samples):
            raise UserError(explain_missing_labels(list_files(self.folder)))


def open_dataset(folder: Path) -> Dataset:
    """Find the samples of `folder` without decoding any file.

    Raise `UserError` if the folder is missing, has no image, or is arranged in an unknown way.
    """
    require_folder(folder)
    listing = list_files(folder)
    described = read_layout_file(folder)
    if described:
        pairing: Pairing | None = pair(listing, described)
        require_matches(listing, described)
    else:
        pairing = find_pairs(listing)
    hints: list[str] = []
    if not pairing:
        hints += require_known_layout(listing)
        pairing = pair(listing, PHOTOS)
    problems = list(describe_problems(listing, pairing))
    if not pairing.images:
        raise UserError("\n".join(problems) or describe_folder(listing))

    keys = sorted(pairing.paired if pairing.layout.sparse else pairing.images)
    names = choose_names(keys)
    runs, invalid_rows, row_notes = read_runs(folder, names.values())
    samples = [_sample(listing, pairing, key, name, runs) for key, name in names.items()]
    label_table = _label_table(folder, pairing.layout)
    return Dataset(
        folder,
        tuple(sorted(samples, key=lambda sample: sample.name)),
        tuple(problems),
        tuple(invalid_rows),
        (*_describe_layout(folder, pairing.layout, label_table), *describe_rest(listing, pairing), *hints, *row_notes),
        label_table,
        pairing.layout.name,
    )


def choose_names(keys: Sequence[str]) -> dict[str, str]:
    """Return a name for every key, fit for a file: its last part if those are all different, else its parts joined."""
    last = {key: key.rpartition("/")[2] for key in keys}
    if len(set(last.values())) == len(keys):
        return last
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in keys:
        joined = key.replace("/", "_")
        # "a_b/c" and "a/b_c" are both joined to "a_b_c".
        names[key] = next(name for name in chain([joined], (f"{joined}_{n}" for n in count(2))) if name not in taken)
        taken.add(names[key])
    return names


def _sample(listing: Listing, pairing: Pairing, key: str, name: str, runs: dict[str, str]) -> Sample:
    label = pairing.labels.get(key)
    folders = key.split("/")[:-1]
    part = next(filter(None, map(part_of, folders)), "")
    sequence = "/".join(folder for folder in folders if not part_of(folder))
    return Sample(
        name,
        listing.folder / pairing.images[key],
        listing.folder / label if label else None,
        pairing.layout.encoding,
        runs.get(name, sequence),
        part,
    )


def _label_table(folder: Path, layout: Layout) -> Path:
    """Return the table that `layout.toml` names, else a `labels.csv`, else the shipped one of the layout."""
    if layout.label_table and layout.name == LAYOUT_FILE:
        named = folder / layout.label_table
        return named if named.is_file() else LABEL_TABLES / f"{layout.label_table}.csv"
    own = _find_table(folder)
    if not own and part_of(folder.resolve().name):  # the table of all parts lies above them
        own = _find_table(folder.resolve().parent)
    if own or not layout.label_table:
        return own or folder / LABEL_TABLE
    return LABEL_TABLES / f"{layout.label_table}.csv"


def _find_table(folder: Path) -> Path | None:
    """Return the folder's `labels.csv`, whether its name is in capitals or not."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == LABEL_TABLE), None)


def _describe_layout(folder: Path, layout: Layout, label_table: Path) -> Iterator[str]:
    inherited = label_table.name.lower() == LABEL_TABLE and label_table.parent.resolve() != folder.resolve()
    if layout.labels and (not layout.own or inherited):
        table = label_table if inherited else label_table.name
        yield f"{folder}: read as {layout.name}" + (f", label table {table}" if label_table.exists() else "")


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
