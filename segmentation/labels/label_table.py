"""What label ids mean: their names, their colours, the classes that they are trained as, and void."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segmentation.errors import UserError
from segmentation.files.csv_table import Row, join_problems, open_table, quote, read_rows
from segmentation.types import UInt8Array

VOID = 255  # class index of pixels that count in no loss and no metric
COLUMNS = ("id", "name", "red", "green", "blue", "class")
NUMBERS = ("id", "red", "green", "blue")  # the columns of whole numbers, 0 to 255
MAX_BYTES = 1_000_000  # 256 ids need a hundredth of it
LABEL_TABLES = Path(__file__).parents[1] / "label_tables"


@dataclass(frozen=True)
class Label:
    """An id of `labels.csv`; `class_name` is empty for void.

    `other_colours` are those of further rows with the same id, name and class: files that show labels in colours may
    use any of them. They change no id's meaning, so labels that differ only in them are equal.
    """

    id: int
    name: str
    colour: tuple[int, int, int]
    class_name: str
    other_colours: tuple[tuple[int, int, int], ...] = field(default=(), compare=False)

    @property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """All colours of the label, the main one first."""
        return (self.colour, *self.other_colours)


@dataclass(frozen=True)
class LabelTable:
    """The ids of a `labels.csv`, with vectorised lookups between ids, classes and colours.

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

        Ids of one class may share a colour, which then stands for the first of them. Raise `UserError` if ids of
        different classes do, because the colour then does not tell the class.
        """
        codes, ids = self._ids_by_colour
        wanted = colour_codes(colours)
        place = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        known = codes[place] == wanted
        return np.where(known, ids[place], 0).astype(np.uint8), known

    def to_csv(self) -> str:
        """Return the table as the text of a `labels.csv`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            writer.writerows((row.id, row.name, *colour, row.class_name) for colour in row.colours)
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

    @cached_property
    def _ids_by_colour(self) -> tuple[npt.NDArray[np.int32], UInt8Array]:
        """The codes of all colours in ascending order, and the id of each."""
        label_of: dict[tuple[int, int, int], Label] = {}
        for label in self.rows:
            for colour in label.colours:
                first = label_of.setdefault(colour, label)
                if first.class_name != label.class_name:
                    shared = f"{first.class_name or 'void'}, {label.class_name or 'void'}: {','.join(map(str, colour))}"
                    raise UserError(
                        f"ids {first.id} and {label.id} of labels.csv have one colour but two classes ({shared}); give "
                        "each its own colour, or use labels that hold ids"
                    )
        codes = colour_codes(np.array(list(label_of), np.uint8))
        order = np.argsort(codes)
        return codes[order], np.array([label.id for label in label_of.values()], np.uint8)[order]


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
    numbers = re.match(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?![0-9])", version)
    return tuple(map(int, numbers.groups())) if numbers else ()


def read_label_table(path: Path) -> LabelTable:
    """Read a `labels.csv` with the columns id, name, red, green, blue, class.

    Raise `UserError`, which lists invalid lines or, if the file is missing, the tables shipped with the project.
    """
    try:
        with open_table(path, MAX_BYTES) as file:
            return parse_label_table(file.read(), str(path))
    except FileNotFoundError:
        names = ", ".join(sorted(table.stem for table in LABEL_TABLES.glob("*.csv")))
        folder = f"{LABEL_TABLES.parent.name}/{LABEL_TABLES.name}/"
        raise UserError(f"{path}: no such file; copy the table that fits your labels from {folder} ({names})") from None


def parse_label_table(text: str, source: str) -> LabelTable:
    """Read the text of a `labels.csv`; `source` names it in the `UserError`, which lists invalid lines."""
    if len(text) > MAX_BYTES:
        raise UserError(f"{source}: {len(text):,} characters, but at most {MAX_BYTES:,} are read; is it another file?")
    labels: dict[int, Label] = {}
    problems = join_problems(_add_rows(labels, read_rows(io.StringIO(text, newline=None), COLUMNS, source)))
    problems = problems or join_problems(_class_problems(labels.values()))
    if problems:
        raise UserError(f"{source}: {problems}")
    return LabelTable(tuple(labels.values()))


def _add_rows(labels: dict[int, Label], rows: Iterable[Row]) -> Iterator[str]:
    """Add the label of every row to `labels`, and yield the problems of the other rows."""
    lines: dict[int, int] = {}
    for row in rows:
        problems = [row.problem] if row.problem else list(_row_problems(row, labels, lines))
        if problems:
            yield from (f"line {row.line}: {problem}" for problem in problems)
            continue
        label = _label(row.fields)
        lines.setdefault(label.id, row.line)
        labels[label.id] = _add_colour(labels.setdefault(label.id, label), label.colour)


def _row_problems(row: Row, labels: Mapping[int, Label], lines: Mapping[int, int]) -> Iterator[str]:
    invalid = [column for column in NUMBERS if not _is_byte(row.fields[column])]
    for column in invalid:
        yield f"{column} is {quote(row.fields[column])}, not a whole number from 0 to 255"
    if invalid:
        return
    label = _label(row.fields)
    first = labels.get(label.id, label)
    if (label.name, label.class_name) != (first.name, first.class_name):
        yield (
            f"id {label.id} occurs twice, as {quote(first.name)} of class {quote(first.class_name)} in line "
            f"{lines[label.id]} and as {quote(label.name)} of class {quote(label.class_name)}"
        )


def _class_problems(labels: Collection[Label]) -> Iterator[str]:
    class_names = dict.fromkeys(label.class_name for label in labels if label.class_name)
    if not class_names:
        yield "no id has a class, so there is nothing to learn; fill the column class"
    if len(class_names) > VOID:
        yield f"more than {VOID} classes; merge some"
    spellings: dict[str, str] = {}
    for name in class_names:
        other = spellings.setdefault(name.casefold(), name)
        if other != name:
            yield f"classes {quote(other)} and {quote(name)} differ in capitals only; spell them alike, or rename one"


def _is_byte(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,3}", text) is not None and int(text) <= 255


def _label(fields: Mapping[str, str]) -> Label:
    number, red, green, blue = (int(fields[column]) for column in NUMBERS)
    return Label(number, fields["name"], (red, green, blue), fields["class"])


def _add_colour(label: Label, colour: tuple[int, int, int]) -> Label:
    return label if colour in label.colours else replace(label, other_colours=(*label.other_colours, colour))


def colour_codes(colours: UInt8Array) -> npt.NDArray[np.int32]:
    """Return one number for every RGB colour, (..., 3) to (...)."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue
