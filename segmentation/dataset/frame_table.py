"""Read which recording run every image belongs to: the columns name and run of frames.csv."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from segmentation.dataset.layout import FRAME_TABLE, MAX_FRAME_TABLE_BYTES
from segmentation.errors import UserError
from segmentation.files.csv_table import Row, join_problems, open_table, quote, read_rows
from segmentation.problems import LISTED, NAMED, list_some

COLUMNS = ("name", "run")
LONGEST_NAME = 255  # characters of a file name


def read_runs(folder: Path, names: Collection[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the run of every name in `frames.csv`, its problems, and notes on what is no problem.

    All are empty if there is no such file. `names` are those of the folder's images. An image without a row is a
    problem, because it could be held out while its neighbours are trained on. A row without an image is only noted.
    """
    path = folder / FRAME_TABLE
    try:
        runs, problems = _read(path)
    except FileNotFoundError:
        return {}, [], []
    except UserError as error:
        return {}, [str(error)], []
    without_row, without_image = set(names) - runs.keys(), runs.keys() - set(names)
    if without_row:
        problems.append(
            f"{path}: no rows for the images {_list(without_row, LISTED)}, so their runs are unknown; add the rows, "
            "continue these runs with 01, which adds them, or remove the file"
        )
    notes = [f"{path}: no images for the rows {_list(without_image, NAMED)}"] if without_image else []
    return runs, problems, notes


def _read(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the run of every name, and at most one problem, which lists the lines that are wrong."""
    runs: dict[str, str] = {}
    with open_table(path, MAX_FRAME_TABLE_BYTES) as file:
        problems = join_problems(_add_rows(runs, read_rows(file, COLUMNS, str(path))))
    return runs, [f"{path}: {problems}; fix the lines or remove the file"] if problems else []


def _add_rows(runs: dict[str, str], rows: Iterable[Row]) -> Iterator[str]:
    """Add the run of every name to `runs`, and yield the problem of every other line."""
    lines: dict[str, int] = {}
    for row in rows:
        problem = row.problem or _problem(row, runs, lines)
        if problem:
            yield f"line {row.line}: {problem}"
        else:
            name = unicodedata.normalize("NFC", row.fields["name"])  # as the images' names are
            runs[name], lines[name] = row.fields["run"], row.line


def _problem(row: Row, runs: Mapping[str, str], lines: Mapping[str, int]) -> str:
    name, run = row.fields["name"], row.fields["run"]
    if not name or not run:
        return f"no {'run' if name else 'name'}"
    if name not in runs:
        return ""
    other = "" if run == runs[name] else f", there in run {_quote(runs[name])}, here in {_quote(run)}"
    return f"{_quote(name)} occurs in line {lines[name]} too{other}"


def _list(names: Collection[str], limit: int) -> str:
    return list_some(map(_quote, sorted(names)), limit)


def _quote(name: str) -> str:
    return quote(name, LONGEST_NAME)
