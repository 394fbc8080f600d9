"""What label ids mean: their names, their colours, the classes that they are trained as, and void."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segmentation.errors import UserError
from segmentation.types import UInt8Array

VOID = 255  # class index of pixels that count in no loss and no metric
COLUMNS = ("id", "name", "red", "green", "blue", "class")
LABEL_TABLES = Path(__file__).parent / "label_tables"


@dataclass(frozen=True)
class Label:
    """One row of `labels.csv`; `class_name` is empty for void."""

    id: int
    name: str
    colour: tuple[int, int, int]
    class_name: str


@dataclass(frozen=True)
class LabelTable:
    """The rows of a `labels.csv`, with vectorised lookups between ids, classes and colours.

    Ids are 0..255. Classes are numbered 0, 1, ... in the order in which their names first appear; a
    class has the colour of its first row, and that row's id stands for it. Ids that are void or not in the table
    belong to class `VOID`. A mask holds the class index of every pixel.
    """

    rows: tuple[Label, ...]

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(dict.fromkeys(row.class_name for row in self.rows if row.class_name))

    @cached_property
    def class_colours(self) -> UInt8Array:
        """RGB colours of the classes, (num_classes, 3)."""
        return self._colour_of_id[self._id_of_class[: len(self.class_names)]]

    @cached_property
    def ids(self) -> UInt8Array:
        """The ids of the table, in its order."""
        return np.array([row.id for row in self.rows], np.uint8)

    def ids_to_mask(self, ids: UInt8Array) -> UInt8Array:
        """Return the class index of every id, `VOID` if it has none; any shape."""
        return self._class_of_id[ids]

    def mask_to_ids(self, mask: UInt8Array) -> UInt8Array:
        """Return the id that stands for every class index; `VOID` becomes the first void id, or 0; any shape."""
        return self._id_of_class[mask]

    def colourise_ids(self, ids: UInt8Array) -> UInt8Array:
        """Return the RGB colour of every id, (..., 3); ids that are not in the table are black."""
        return self._colour_of_id[ids]

    def colourise_mask(self, mask: UInt8Array) -> UInt8Array:
        """Return the RGB colour of every class index, (..., 3); void is black."""
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(self.class_names)] = self.class_colours
        return colours[mask]

    def ids_from_colours(self, colours: UInt8Array) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
        """Return the ids of RGB colours (..., 3), and where a colour is in the table; other ids are 0.

        Raise `UserError` if two ids share a colour, because colours then do not identify ids.
        """
        codes = _colour_codes(self._colour_of_id[self.ids])
        if len(np.unique(codes)) < len(codes):
            raise UserError("two ids of labels.csv share a colour; give each its own, or save ids as seg_raw_NAME.png")
        order = np.argsort(codes, kind="stable")
        wanted = _colour_codes(colours)
        place = np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)
        known = codes[order][place] == wanted
        return np.where(known, self.ids[order][place], 0).astype(np.uint8), known

    def to_csv(self) -> str:
        """Return the table as the text of a `labels.csv`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((row.id, row.name, *row.colour, row.class_name) for row in self.rows)
        return text.getvalue()

    @cached_property
    def _class_of_id(self) -> UInt8Array:
        classes = np.full(256, VOID, np.uint8)
        for row in self.rows:
            if row.class_name:
                classes[row.id] = self.class_names.index(row.class_name)
        return classes

    @cached_property
    def _id_of_class(self) -> UInt8Array:
        void_id = next((row.id for row in self.rows if not row.class_name), 0)
        ids = np.full(256, void_id, np.uint8)
        for row in reversed(self.rows):
            if row.class_name:
                ids[self.class_names.index(row.class_name)] = row.id
        return ids

    @cached_property
    def _colour_of_id(self) -> UInt8Array:
        colours = np.zeros((256, 3), np.uint8)
        for row in self.rows:
            colours[row.id] = row.colour
        return colours


def carla_label_table(version: str) -> Path:
    """Return the file of the label table for a CARLA server's version, such as "0.9.16".

    `carla_0.9.10.csv` is for 0.9.10 and later, up to the version that the next such file names. An unknown version
    counts as the newest. The ids of each table are merged into classes that matter to a driver.
    """
    first_versions = {
        _release(match[1]): path
        for path in LABEL_TABLES.glob("carla_*.csv")
        if (match := re.fullmatch(r"carla_([\d.]+)", path.stem))
    }
    release = _release(version) or max(first_versions)
    return first_versions[max((first for first in first_versions if first <= release), default=min(first_versions))]


def _release(version: str) -> tuple[int, ...]:
    """Return (0, 9, 16) for "0.9.16-dirty", and nothing for what is not a version."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, numbers.groups())) if numbers else ()


def read_label_table(path: Path) -> LabelTable:
    """Read a `labels.csv` with the columns id, name, red, green, blue, class.

    Raise `UserError`, which lists every invalid line or, if the file is missing, the tables shipped with the project.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        names = ", ".join(sorted(table.stem for table in LABEL_TABLES.glob("*.csv")))
        folder = f"{LABEL_TABLES.parent.name}/{LABEL_TABLES.name}/"
        raise UserError(f"{path}: no such file; copy the table that fits your labels from {folder} ({names})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); save it as a UTF-8 text file") from None
    return parse_label_table(text, str(path))


def parse_label_table(text: str, source: str) -> LabelTable:
    """Read the text of a `labels.csv`; `source` names it in the `UserError`, which lists every invalid line."""
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        header, records = tuple(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise UserError(f"{source}: cannot be read ({error}); fix it") from None
    if header != COLUMNS:
        raise UserError(f"{source}: the first line must be {','.join(COLUMNS)}")
    rows: list[Label] = []
    problems: list[str] = []
    for line, record in enumerate(records, 2):
        found = list(_row_problems(record, rows))
        problems += [f"line {line}: {problem}" for problem in found]
        if not found:
            colour = (int(record["red"]), int(record["green"]), int(record["blue"]))
            rows.append(Label(int(record["id"]), record["name"], colour, record["class"].strip()))
    if not problems and not any(row.class_name for row in rows):
        problems.append("no id has a class, so there is nothing to learn; fill the column class")
    if not problems and len({row.class_name for row in rows}) > VOID:
        problems.append(f"more than {VOID} classes; merge some")
    if problems:
        raise UserError(f"{source}: {'; '.join(problems)}")
    return LabelTable(tuple(rows))


def _row_problems(record: dict[str, str], earlier: list[Label]) -> Iterator[str]:
    if None in record or None in record.values():
        yield f"needs {len(COLUMNS)} fields"
        return
    for column in ("id", "red", "green", "blue"):
        if not (record[column].isdecimal() and int(record[column]) <= 255):
            yield f"{column} is {record[column]!r}, not a whole number from 0 to 255"
    if record["id"].isdecimal() and any(row.id == int(record["id"]) for row in earlier):
        yield f"id {record['id']} occurs twice"


def _colour_codes(colours: UInt8Array) -> npt.NDArray[np.int32]:
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue
