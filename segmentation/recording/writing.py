"""Write pictures and labels with worker threads, whole or not at all, into a dataset folder."""

import io
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from segmentation.errors import UserError
from segmentation.labels import Bytes, LabelTable, carla_table, read_labels
from segmentation.recording.cameras import View
from segmentation.recording.frames import FrameLog
from segmentation.whole_file import whole_file, write_durably

WAITING = 2  # pictures that may wait for every worker; then recording waits too, and memory stays bounded


class Writer:
    """Writes views in the background; `put` hands one over and waits only when many are waiting already."""

    def __init__(self, folder: Path, frames: FrameLog, table: LabelTable, threads: int, small: bool = False) -> None:
        self.folder, self.frames, self.table, self.small = folder, frames, table, small
        self._pool = ThreadPoolExecutor(threads, "png")
        self._room = threading.BoundedSemaphore(threads * (1 + WAITING))
        self._palette = table.colourise_ids(np.arange(256, dtype=np.uint8)).tobytes()
        self._trouble: Exception | None = None

    def put(self, row: Mapping[str, Any], view: View) -> None:
        """Write a view under `row["name"]`, then its row into frames.csv.

        Raises `UserError` when an earlier one could not be written.
        """
        self._room.acquire()
        self._raise_trouble()
        self._pool.submit(self._write, row, view)

    def close(self) -> None:
        """Wait until all is written. Raises `UserError` when something could not be."""
        self._pool.shutdown()
        self._raise_trouble()

    def _raise_trouble(self) -> None:
        if self._trouble:
            reason = getattr(self._trouble, "strerror", None) or self._trouble
            raise UserError(
                f"{self.folder}: cannot be written ({reason}); every picture so far is whole: free the place or name "
                "another --output, and repeat the command to go on"
            )

    def _write(self, row: Mapping[str, Any], view: View) -> None:
        try:
            # Nothing more is tried after a failure: small files might still fit where pictures do not.
            if not self._trouble:
                self._write_files(row, self._files(row["name"], view))
        except Exception as error:  # whatever it is: a picture that is counted and not there must be told
            self._trouble = error
        finally:
            self._room.release()

    def _files(self, name: str, view: View) -> dict[Path, bytes]:
        """What to write where; the picture last, because it is what makes the others part of a dataset."""
        files = {"seg_raw": _encode_ids(view.ids), "seg": _encode_ids(view.ids, self._palette)}
        for kind, image in (("depth", view.depth), ("instance", view.instance), ("rgb", view.rgb)):
            if image is not None:
                files[kind] = _encode_picture(image, self.small)
        return {self.folder / kind / f"{kind}_{name}.png": content for kind, content in files.items()}

    def _write_files(self, row: Mapping[str, Any], files: Mapping[Path, bytes]) -> None:
        parts = {path: path.with_name(f".{path.name}.part") for path in files}
        try:
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(parts[path], content)
            for path, part in parts.items():
                part.rename(path)
            self.frames.append(row)
        except OSError:
            for path in (*parts.values(), *files):
                path.unlink(missing_ok=True)
            raise


@contextmanager
def open_writer(
    folder: Path, frames: FrameLog, table: LabelTable, threads: int, small: bool = False
) -> Iterator[Writer]:
    """A writer that has written everything it was given when the context ends, however that ends."""
    writer = Writer(folder, frames, table, threads, small)
    try:
        yield writer
    except BaseException:
        # What ended the recording is worth more telling than what it may have led to.
        writer._pool.shutdown()
        raise
    writer.close()


def write_labels(folder: Path, version: str) -> LabelTable:
    """The label table of the server's version, written to the dataset if it has none yet.

    Classes that a dataset's own labels.csv merges stay merged. Raises `UserError` when that file's ids mean
    something else than the server's.
    """
    table = read_labels(carla_table(version))
    path = folder / "labels.csv"
    if path.exists():
        found = read_labels(path)
        if {(row.id, row.name) for row in found.rows} != {(row.id, row.name) for row in table.rows}:
            raise UserError(
                f"{path}: its {len(found.rows)} ids mean something else than the {len(table.rows)} of CARLA {version}; "
                "record into another folder with --output"
            )
        return found
    with whole_file(path, cure="free it or name another --output") as temporary:
        temporary.write_text(table.to_csv())
    return table


def _encode_picture(image: Bytes, small: bool) -> bytes:
    """An RGB image as a PNG file, as small as PNG makes it or at the speed that recording needs.

    OpenCV's own default is that: 14 ms and 706 kB for an 800x600 picture of the embedded town on one core. Its
    level 1 takes 25 ms for 671 kB and its level 6 72 ms for 627 kB; Pillow's level 1 32 ms.
    """
    if small:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", optimize=True)
        return file.getvalue()
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _encode_ids(ids: Bytes, palette: bytes | None = None) -> bytes:
    """Ids as a PNG file of one byte a pixel, 2 ms for 800x600; with a palette (256 RGB colours) it shows colours."""
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(palette)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
