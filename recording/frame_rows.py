"""Read the frames.csv of an earlier recording, which other programs may have changed or a power cut truncated."""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from segmentation.dataset.layout import MAX_FRAME_TABLE_BYTES
from segmentation.errors import UserError

ADVICE = "fix it, or move it away and record into another --output"


@dataclass
class FrameRows:
    """What a recording that continues needs of the rows."""

    columns: list[str]
    counts: Counter[str] = field(default_factory=Counter)  # images by run
    names: set[str] = field(default_factory=set)
    last_rows: dict[str, dict[str, str]] = field(default_factory=dict)  # by run

    def add(self, row: dict[str, str]) -> None:
        """Add a row, which has the columns name and run."""
        self.counts[row["run"]] += 1
        self.names.add(row["name"])
        self.last_rows[row["run"]] = row


def read_rows(path: Path, columns: tuple[str, ...]) -> tuple[FrameRows, int, bytes]:
    """Return the rows, the size in bytes to cut the file to, and the bytes to append then.

    A last row with too few values is cut, and `FrameLog.repair` adds it again; one that ends inside its last value
    cannot be recognised. `columns` are those of a new file: one that is
    empty, or that a power cut left with a part of its first line. Raise `UserError` for a file that is too large,
    cannot be decoded, lacks the columns name and run, or has a row that is more than one line, has more values than
    columns, no name, no run, or the name of an earlier row.
    """
    if path.stat().st_size > MAX_FRAME_TABLE_BYTES:
        raise UserError(f"{path}: has more than {MAX_FRAME_TABLE_BYTES >> 20} MB; {ADVICE}")
    content = path.read_bytes()
    header = (",".join(columns) + "\n").encode()
    if header.startswith(content):
        return FrameRows(list(columns)), 0, header
    complete = content.rfind(b"\n") + 1
    if content.count(b",", complete) < content.partition(b"\n")[0].count(b","):
        content = content[:complete]
    try:
        rows = _parse(path, content.decode("utf-8-sig"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}); {ADVICE}") from None
    # Other programs may write the last row without a line break.
    return rows, len(content), b"" if content.endswith(b"\n") else b"\n"


def _parse(path: Path, text: str) -> FrameRows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = FrameRows(next(reader, []))
    if not {"name", "run"} <= set(rows.columns) or len(set(rows.columns)) < len(rows.columns):
        found = ",".join(rows.columns)[:80]
        raise UserError(f"{path}: needs the columns name and run, each once, but has {found!r}; {ADVICE}")
    for line, values in enumerate(reader, 2):
        if not values:
            continue
        row = dict(zip(rows.columns, values, strict=False))
        if reader.line_num != line:
            raise _fault(path, line, "a quotation mark that does not end in this line")
        if len(values) > len(rows.columns):
            raise _fault(path, line, f"{len(values)} values for {len(rows.columns)} columns")
        if not row.get("name") or "run" not in row:
            raise _fault(path, line, "no name or no run")
        if row["name"] in rows.names:
            raise _fault(path, line, f"the name of an earlier row, {row['name'][:80]!r}")
        rows.add(row)
    return rows


def _fault(path: Path, line: int, found: str) -> UserError:
    return UserError(f"{path}: line {line} has {found}; {ADVICE}")
