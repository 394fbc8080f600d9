"""Write pictures and labels with worker threads, whole or not at all, into a dataset folder."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from segmentation.errors import UserError
from segmentation.labels import Bytes, LabelTable, carla_table, read_labels
from segmentation.recording.cameras import View
from segmentation.recording.frames import FrameLog

# One 800x600 picture of the embedded town, one core: OpenCV with this strategy 22 ms and 588 kB, with its
# default one 24 ms and 605 kB, at level 6 89 ms and 542 kB; Pillow at level 1 32 ms and 603 kB.
PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
WAITING = 2  # pictures that may wait for every worker; then recording waits too, and memory stays bounded


class Writer:
    """Writes views in the background; `put` hands one over and waits only when many are waiting already."""

    def __init__(self, folder: Path, frames: FrameLog, table: LabelTable, threads: int) -> None:
        self.folder, self.frames, self.table = folder, frames, table
        self._pool = ThreadPoolExecutor(threads, "png")
        self._room = threading.BoundedSemaphore(threads * (1 + WAITING))
        self._trouble: OSError | None = None

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
            reason = self._trouble.strerror or self._trouble
            raise UserError(
                f"{self.folder}: cannot be written ({reason}); every picture so far is whole: free the place or name "
                "another --output, and repeat the command to go on"
            )

    def _write(self, row: Mapping[str, Any], view: View) -> None:
        try:
            # Nothing more is tried after a failure: small files might still fit where pictures do not.
            if not self._trouble:
                self._write_files(row, self._images(row["name"], view))
        except OSError as error:
            self._trouble = error
        finally:
            self._room.release()

    def _images(self, name: str, view: View) -> dict[Path, Bytes]:
        """What to write where; the picture last, because it is what makes the others part of a dataset."""
        images = {"seg_raw": view.ids, "seg": self.table.colourise_ids(view.ids)}
        extras = {"depth": view.depth, "instance": view.instance}
        images |= {kind: image for kind, image in extras.items() if image is not None}
        return {
            self.folder / kind / f"{kind}_{name}.png": image for kind, image in (images | {"rgb": view.rgb}).items()
        }

    def _write_files(self, row: Mapping[str, Any], images: Mapping[Path, Bytes]) -> None:
        parts = {path: path.with_name(f".{path.name}.part") for path in images}
        try:
            for path, image in images.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                parts[path].write_bytes(_encode(image))
            for path, part in parts.items():
                part.rename(path)
            self.frames.append(row)
        except OSError:
            for path in (*parts.values(), *images):
                path.unlink(missing_ok=True)
            raise


@contextmanager
def open_writer(folder: Path, frames: FrameLog, table: LabelTable, threads: int) -> Iterator[Writer]:
    """A writer that has written everything it was given when the context ends, however that ends."""
    writer = Writer(folder, frames, table, threads)
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
    part = path.with_name(".labels.csv.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(table.to_csv())
        part.rename(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); free it or name another --output") from None
    return table


def _encode(image: Bytes) -> bytes:
    """An RGB or one-channel image as a PNG file."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", image, PNG)[1].tobytes()
