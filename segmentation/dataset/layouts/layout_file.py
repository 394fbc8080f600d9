"""Read `layout.toml`, in which a user describes where the images and labels of a dataset lie."""

import re
import sys
from pathlib import Path
from typing import Any, get_args

from segmentation.dataset.layouts.known_layouts import Layout
from segmentation.dataset.layouts.patterns import Pattern
from segmentation.errors import UserError
from segmentation.files.regular_file import require_regular_file
from segmentation.labels.label_files import Encoding
from segmentation.labels.label_table import LABEL_TABLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LAYOUT_FILE = "layout.toml"
_KEYS = ("images", "labels", "encoding", "label_table")


def read_layout_file(folder: Path) -> Layout | None:
    """Return the layout that the folder's `layout.toml` describes, and None if there is no such file.

    Raise `UserError` if it cannot be read, has another key, or a value that does not fit.
    """
    path = folder / LAYOUT_FILE
    try:
        require_regular_file(path)
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error or type(error).__name__}); fix or remove it") from None
    for key, value in table.items():
        if key not in _KEYS:
            raise UserError(f"{path}: has the key {key!r}; use only {', '.join(_KEYS)}")
        if not isinstance(value, str):
            raise UserError(f"{path}: {key} is {value!r}, not text; write it in quotes")
    return Layout(
        LAYOUT_FILE,
        (_pattern(path, table, "images"),),
        (_pattern(path, table, "labels"),),
        _encoding(path, table),
        _label_table(path, table.get("label_table", "")),
    )


def _pattern(path: Path, table: dict[str, Any], key: str) -> Pattern:
    if key not in table:
        raise UserError(f'{path}: has no {key}; add a pattern such as {key} = "{key}/**/*.png"')
    text = table[key]
    if re.match(r"[/\\~]|\w:", text) or ".." in re.split(r"[/\\]", text):
        raise UserError(f"{path}: {key} is {text!r}, which leads outside of the folder; give a path inside of it")
    pattern = Pattern(text.replace("\\", "/").removeprefix("./"))
    if not pattern.has_wildcard:
        raise UserError(f"{path}: {key} is {text!r}, which has no wildcard; write * for what images and labels share")
    return pattern


def _encoding(path: Path, table: dict[str, Any]) -> Encoding | None:
    encoding = table.get("encoding")
    if encoding is not None and encoding not in get_args(Encoding):
        raise UserError(f"{path}: encoding is {encoding!r}; use one of {', '.join(get_args(Encoding))}")
    return encoding


def _label_table(path: Path, name: str) -> str:
    """Return the path of a label table inside of the folder, or the name of a shipped one; "" if none is named."""
    if not name:
        return ""
    inside = path.parent / name
    if inside.is_file():
        if not inside.resolve().is_relative_to(path.parent.resolve()):
            raise UserError(
                f"{path}: label_table is {name!r}, which leads outside of the folder; copy it into the folder"
            )
        return name
    shipped = sorted(table.stem for table in LABEL_TABLES.glob("*.csv"))
    if name.removesuffix(".csv") not in shipped:
        known = ", ".join(shipped)
        raise UserError(f"{path}: label_table is {name!r}; give a file inside of the folder, or one of {known}")
    return name.removesuffix(".csv")
