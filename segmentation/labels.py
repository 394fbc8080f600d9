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

VOID = 255  # class index of pixels that count in no loss and no metric
COLUMNS = ("id", "name", "red", "green", "blue", "class")
TABLES = Path(__file__).parent / "label_tables"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Label:
    """One row of `labels.csv`; `class_name` is empty for void."""

    id: int
    name: str
    colour: tuple[int, int, int]
    class_name: str


@dataclass(frozen=True)
class LabelTable:
    """The rows of a `labels.csv`, and the vectorised look-ups that follow from them.

    Ids are 0..255. Classes are numbered 0, 1, ... in the order in which their names first appear; a
    class has the colour and stands for the id of its first row. Ids that are void or not in the table
    belong to class `VOID`.
    """

    rows: tuple[Label, ...]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(dict.fromkeys(row.class_name for row in self.rows if row.class_name))

    @cached_property
    def class_colours(self) -> Bytes:
        """RGB colours of the classes, (classes, 3)."""
        return self._id_colours[self._class_ids[: len(self.classes)]]

    @cached_property
    def ids(self) -> Bytes:
        """The ids of the table, in its order."""
        return np.array([row.id for row in self.rows], np.uint8)

    def to_classes(self, ids: Bytes) -> Bytes:
        """Class index of every id, `VOID` where there is none; any shape."""
        return self._id_classes[ids]

    def to_ids(self, classes: Bytes) -> Bytes:
        """Id that stands for every class index; `VOID` becomes the first void id, or 0; any shape."""
        return self._class_ids[classes]

    def colourise_ids(self, ids: Bytes) -> Bytes:
        """RGB colour of every id, (..., 3); ids that are not in the table are black."""
        return self._id_colours[ids]

    def colourise_classes(self, classes: Bytes) -> Bytes:
        """RGB colour of every class index, (..., 3); void is black."""
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(self.classes)] = self.class_colours
        return colours[classes]

    def ids_from_colours(self, colours: Bytes) -> tuple[Bytes, npt.NDArray[np.bool_]]:
        """Ids of RGB colours (..., 3), and where a colour is in the table; ids elsewhere are 0.

        Raises `UserError` when two ids share a colour: then colours do not tell ids.
        """
        codes = _colour_codes(self._id_colours[self.ids])
        if len(np.unique(codes)) < len(codes):
            raise UserError("two ids of labels.csv share a colour; give each its own, or save ids as seg_raw_NAME.png")
        order = np.argsort(codes, kind="stable")
        wanted = _colour_codes(colours)
        place = np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)
        known = codes[order][place] == wanted
        return np.where(known, self.ids[order][place], 0).astype(np.uint8), known

    def to_csv(self) -> str:
        """The table as the text of a `labels.csv`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((row.id, row.name, *row.colour, row.class_name) for row in self.rows)
        return text.getvalue()

    @cached_property
    def _id_classes(self) -> Bytes:
        classes = np.full(256, VOID, np.uint8)
        for row in self.rows:
            if row.class_name:
                classes[row.id] = self.classes.index(row.class_name)
        return classes

    @cached_property
    def _class_ids(self) -> Bytes:
        void = next((row.id for row in self.rows if not row.class_name), 0)
        ids = np.full(256, void, np.uint8)
        for row in reversed(self.rows):
            if row.class_name:
                ids[self.classes.index(row.class_name)] = row.id
        return ids

    @cached_property
    def _id_colours(self) -> Bytes:
        colours = np.zeros((256, 3), np.uint8)
        for row in self.rows:
            colours[row.id] = row.colour
        return colours


def carla_table(version: str) -> Path:
    """File with the label table of a CARLA server's version, such as "0.9.16", merged into classes for drivers.

    Ids changed their meaning in 0.9.10 and in 0.9.14. What is not a version counts as the newest.
    """
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    release = tuple(map(int, numbers.groups())) if numbers else (0, 9, 14)
    first = "0.9.14" if release >= (0, 9, 14) else "0.9.10" if release >= (0, 9, 10) else "0.9.0"
    return TABLES / f"carla_{first}.csv"


def read_labels(path: Path) -> LabelTable:
    """Read a `labels.csv` with the columns id, name, red, green, blue, class.

    Raises `UserError` that lists every wrong line, or says which tables come with the project when the
    file is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; copy the table that made the labels from {TABLES.parent.name}/{TABLES.name}/ "
            f"({', '.join(sorted(table.stem for table in TABLES.glob('*.csv')))})"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); save it as a UTF-8 text file") from None
    return parse_labels(text, str(path))


def parse_labels(text: str, source: str) -> LabelTable:
    """Read the text of a `labels.csv`; `source` names it in the `UserError` raised for wrong lines."""
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        header, records = tuple(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise UserError(f"{source}: cannot be read ({error}); mend it") from None
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
        yield f"id {record['id']} stands twice"


def _colour_codes(colours: Bytes) -> npt.NDArray[np.int32]:
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue
