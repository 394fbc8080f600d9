"""Open model files safely: only plain archives of bounded size, whose metadata is what `save_model` writes.

A model file may come from somebody else. Everything here is checked before Keras sees the file, and without importing
Keras.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py

from segmentation.errors import UserError
from segmentation.files.regular_file import require_regular_file
from segmentation.labels.label_table import LabelTable, parse_label_table
from segmentation.types import Size

METADATA = "segmentation.json"  # our entry in the archive that Keras writes
WEIGHTS = "model.weights.h5"
KERAS_ENTRIES = {"config.json", "metadata.json", WEIGHTS}
# Keras and save_model store without compression. An archiver that packs the file again saves a tenth of the weights.
MAX_EXPANSION = 10
MAX_JSON_BYTES = 64 * 2**20  # the largest network's config has 1 MB
MAX_SIDE = 2**14  # pixels; training on larger images would need more memory than machines have
MAX_REASON = 300  # characters of another library's message


@dataclass(frozen=True)
class Metadata:
    """What a model file says about its network."""

    label_table: LabelTable
    size: Size  # of the images that it was trained on
    settings: dict[str, Any]
    history: dict[str, list[float]]
    run: str  # id of the training run; "" in files from before runs had one


def read_metadata(path: Path) -> Metadata:
    """Return the checked metadata of a file of `save_model`.

    Raise `UserError` if the file is missing, is no plain archive, or contains anything else than `save_model` writes.
    """
    try:
        require_regular_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such model; train one with 02_fc_densenet.py or name another") from None
    if path.suffix != ".keras":
        raise UserError(f"{path}: is no model; use a .keras file that 02_fc_densenet.py saved")
    with readable(path), zipfile.ZipFile(path) as archive:
        if METADATA not in archive.namelist():
            raise UserError(f"{path}: contains no label table; use a model that 02_fc_densenet.py saved")
        require_archive(path, KERAS_ENTRIES | {METADATA})
        content = dict(json.loads(archive.read(METADATA)))
        for name, valid in _VALID.items():
            if not valid(content.get(name)):
                raise ValueError(f"{name} in {METADATA} is {json.dumps(content.get(name))[:50]}")
    label_table = parse_label_table(content["labels"], f"labels in {path}")
    # Earlier files call the images pictures, and give the run no id.
    settings = {name.replace("pictures", "images"): value for name, value in content["recipe"].items()}
    size = content["width"], content["height"]
    return Metadata(label_table, size, settings, content["history"], content.get("run") or "")


def require_archive(path: Path, entries: set[str]) -> None:
    """Raise `ValueError` unless the archive has exactly these entries, of bounded size when unpacked."""
    with zipfile.ZipFile(path) as archive:
        names, sizes = archive.namelist(), {entry.filename: entry.file_size for entry in archive.infolist()}
    if sorted(names) != sorted(entries):
        raise ValueError(f"it contains {', '.join(names) or 'nothing'} instead of {', '.join(sorted(entries))}")
    packed, unpacked = path.stat().st_size, sum(sizes.values())
    if unpacked > MAX_EXPANSION * packed:
        raise ValueError(f"its {packed:,} bytes unpack to {unpacked:,}")
    for name in entries - {WEIGHTS}:
        if sizes[name] > MAX_JSON_BYTES:
            raise ValueError(f"its {name} has {sizes[name]:,} bytes")


def require_plain_weights(path: Path) -> None:
    """Raise `ValueError` if the weights of an archive refer to other files, or declare more than they have."""
    with zipfile.ZipFile(path) as archive:
        require_plain_hdf5(io.BytesIO(archive.read(WEIGHTS)))  # reading all of them also compares their checksum


def require_plain_hdf5(file: IO[bytes]) -> None:
    """Raise `ValueError` if an HDF5 file refers to other files, or has larger arrays than it has bytes."""
    size, declared = file.seek(0, io.SEEK_END), 0

    def find_link(name: str, link: Any) -> str | None:
        return None if isinstance(link, h5py.HardLink) else f"its weights {name[:100]} are a link"

    def find_foreign(name: str, item: Any) -> str | None:
        nonlocal declared
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual or item.dtype.kind not in "biuf":
                return f"its weights {name[:100]} are not plain numbers"
            declared += item.nbytes
        return None

    with h5py.File(file, "r") as weights:
        problem = weights.visititems_links(find_link) or weights.visititems(find_foreign)
    if problem:
        raise ValueError(problem)
    if declared > size:  # nobody compresses weights, and a few bytes can declare any shape
        raise ValueError(f"its weights declare {declared:,} bytes, more than the {size:,} of their file")


@contextmanager
def readable(path: Path, kind: str = "a model", cure: str = "train it again") -> Iterator[None]:
    """Turn every exception but `UserError` into one, of one sentence: broken files raise many kinds."""
    try:
        yield
    except UserError:
        raise
    except PermissionError:
        raise UserError(f"{path}: cannot be read (Permission denied); make it readable") from None
    except MemoryError:
        raise UserError(f"{path}: needs more memory than is free; free some") from None
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = "".join(character if character.isprintable() else "?" for character in lines[0][:MAX_REASON])
        raise UserError(f"{path}: cannot be read as {kind} ({reason.rstrip('.')}); {cure}") from None


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_SIDE


def _is_settings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str | list) for item in value.values())


def _is_history(value: Any) -> bool:
    """Return whether every list has one number for every epoch."""
    if not isinstance(value, dict) or not all(isinstance(results, list) for results in value.values()):
        return False
    numbers = [number for results in value.values() for number in results]
    return all(type(number) is float for number in numbers) and len({*map(len, value.values())}) <= 1


_VALID = {
    "labels": lambda value: isinstance(value, str),
    "height": _is_side,
    "width": _is_side,
    "recipe": _is_settings,
    "history": _is_history,
    "run": lambda value: value is None or isinstance(value, str),
}
