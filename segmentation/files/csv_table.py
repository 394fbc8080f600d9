"""Read tables that people edit or save from a spreadsheet: labels.csv and frames.csv."""

import csv
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from segmentation.errors import UserError
from segmentation.files.regular_file import require_regular_file
from segmentation.problems import LISTED

DELIMITERS = (",", ";", "\t")
SHOWN = 60  # characters of a line or a field that a message shows


@dataclass(frozen=True)
class Row:
    """A row, the number of its line, and what is wrong with it, if anything; `fields` has no outer spaces."""

    line: int
    fields: dict[str, str]
    problem: str = ""


@contextmanager
def open_table(path: Path, max_bytes: int) -> Iterator[TextIO]:
    """Open a UTF-8 text file, with or without a byte order mark.

    Raise FileNotFoundError if it is missing, and `UserError` if it is not a file, has more than `max_bytes`, or cannot
    be read.
    """
    require_regular_file(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise UserError(f"{path}: {size:,} bytes, but at most {max_bytes:,} are read; is it another file?")
            yield file
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}); save it as a UTF-8 text file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); make it readable") from None


def read_rows(lines: Iterable[str], columns: Sequence[str], source: str) -> Iterator[Row]:
    """Yield the rows below the header, except blank ones; `source` names the table in errors.

    Fields are separated by commas, semicolons or tabs. The header names at least `columns`, in any order and with
    capitals or not. Other columns are ignored. Raise `UserError` if the header or the quotation marks are wrong.
    """
    numbered = enumerate(lines, 1)
    header_line, header = next(((number, line) for number, line in numbered if line.strip()), (0, ""))
    delimiter, names = _read_header(header, header_line, columns, source)
    reader = csv.reader((line for _, line in numbered), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = header_line + 1
    try:
        for record in reader:
            if any(field.strip() for field in record):
                yield _row(line, record, names, delimiter, columns)
            line = header_line + reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{source}: line {line} cannot be read ({error}); check its quotation marks") from None


def quote(text: str, limit: int = SHOWN) -> str:
    """Return the text in quotation marks, with escapes for what does not print; cut if it is longer."""
    return repr(text if len(text) <= limit else f"{text[:limit]}...")


def join_problems(problems: Iterable[str]) -> str:
    """Return the first problems of a table in one line, and how many more there are; nothing without problems."""
    remaining = iter(problems)
    first = list(itertools.islice(remaining, LISTED))
    more = sum(1 for _ in remaining)
    return "; ".join(first) + (f"; and {more:,} more" if more else "")


def _read_header(header: str, line: int, columns: Sequence[str], source: str) -> tuple[str, list[str]]:
    """Return the delimiter under which the header names all columns, and the names."""
    cure = f"the first line must be {','.join(columns)}"
    if not header:
        raise UserError(f"{source}: empty; {cure}")
    found = f"{source}: line {line} is {quote(header.strip())}"
    candidates = {delimiter: _names(header, delimiter) for delimiter in DELIMITERS}
    delimiter, names = max(candidates.items(), key=lambda item: len(set(item[1]) & set(columns)))
    missing = [column for column in columns if column not in names]
    if missing:
        raise UserError(f"{found}, without {', '.join(missing)}; {cure}")
    twice = [column for column in columns if names.count(column) > 1]
    if twice:
        raise UserError(f"{found}, with {', '.join(twice)} twice; {cure}")
    return delimiter, names


def _names(header: str, delimiter: str) -> list[str]:
    try:
        fields = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return []
    return [field.strip().lower() for field in fields]


def _row(line: int, record: list[str], names: Sequence[str], delimiter: str, columns: Sequence[str]) -> Row:
    if len(record) < len(names) or any(field.strip() for field in record[len(names) :]):
        return Row(line, {}, f"has {len(record)} instead of {len(names)} fields: {quote(delimiter.join(record))}")
    fields = {name: field.strip() for name, field in zip(names, record, strict=False) if name in columns}
    broken = next((name for name, field in fields.items() if any(character < " " for character in field)), None)
    if broken:
        return Row(line, {}, f"{broken} is {quote(fields[broken])}, with a line break or another control character")
    return Row(line, fields)
