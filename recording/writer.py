"""Write a dataset: its label table, and images and labels in worker threads, atomically."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from recording.frame_log import FrameLog
from recording.sensors import SENSORS, View
from segmentation.dataset.layout import COLOURED_IDS, IMAGE, LABEL_TABLE, png_path
from segmentation.errors import UserError
from segmentation.files.atomic_write import atomic_write, atomic_write_together, remove_files
from segmentation.files.images import encode_ids, encode_image
from segmentation.labels.label_table import LabelTable, carla_label_table, read_label_table

QUEUED_PER_THREAD = 2  # views that may wait for each thread; then `write` waits too, so that memory stays bounded


class Writer:
    """Writes views in the background."""

    def __init__(
        self, folder: Path, frame_log: FrameLog, label_table: LabelTable, threads: int, small: bool = False
    ) -> None:
        """Start the threads. With `small`, compress images as far as PNG allows."""
        self.folder, self.frame_log, self.label_table, self.small = folder, frame_log, label_table, small
        self._palette = label_table.colourise_ids(np.arange(256, dtype=np.uint8)).tobytes()
        self._pool = ThreadPoolExecutor(threads, "png")
        self._room = threading.BoundedSemaphore(threads * (1 + QUEUED_PER_THREAD))
        self._error: Exception | None = None

    def write(self, row: Mapping[str, Any], view: View) -> None:
        """Queue a view, to be written as `row["name"]`, and its row; wait only while the queue is full.

        Raise `UserError` if an earlier view could not be written.
        """
        self._room.acquire()
        self._raise_error()
        self._pool.submit(self._write, row, view)

    def wait(self) -> None:
        """Wait until everything queued is written; nothing can be queued afterwards."""
        self._pool.shutdown()

    def close(self) -> None:
        """Wait until everything queued is written. Raise `UserError` if something could not be."""
        self.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error:
            reason = getattr(self._error, "strerror", None) or self._error
            raise UserError(
                f"{self.folder}: cannot be written ({reason}); every image so far is complete: free some space or use "
                "another --output, and repeat the command to continue"
            )

    def _write(self, row: Mapping[str, Any], view: View) -> None:
        try:
            # Stop at the first failure: where images no longer fit, smaller files still might.
            if not self._error:
                self._write_files(row, view)
        except Exception as error:  # of any kind: an image that was counted but not written must be reported
            self._error = error
        finally:
            self._room.release()

    def _write_files(self, row: Mapping[str, Any], view: View) -> None:
        files = self._encode(row["name"], view)
        atomic_write_together(files)
        try:
            self.frame_log.append(row)
        except OSError:
            remove_files(files)
            raise

    def _encode(self, name: str, view: View) -> dict[Path, bytes]:
        """Return the content of every file; the image is last, because it makes the others part of the dataset."""
        files = {png_path(self.folder, COLOURED_IDS, name): encode_ids(view.ids, self._palette)}
        for sensor_name, pixels in view.images.items():
            sensor = SENSORS[sensor_name]
            content = encode_ids(pixels) if sensor.encoding == "ids" else encode_image(pixels, self.small)
            files[png_path(self.folder, sensor.kind, name)] = content
        image = png_path(self.folder, IMAGE, name)
        files[image] = files.pop(image)
        return files


@contextmanager
def open_writer(
    folder: Path, frame_log: FrameLog, label_table: LabelTable, threads: int, small: bool = False
) -> Iterator[Writer]:
    """Yield a writer; at the end, also after an exception, wait until everything queued is written."""
    writer = Writer(folder, frame_log, label_table, threads, small)
    try:
        yield writer
    except BaseException:
        # What ended the recording matters more than an error that may have followed from it.
        writer.wait()
        raise
    writer.close()


def write_label_table(folder: Path, version: str) -> LabelTable:
    """Return the dataset's label table; if there is none yet, write the one of the server's version.

    Classes that the dataset's own labels.csv merges stay merged. Raise `UserError` if its ids mean something else than
    the server's.
    """
    table = read_label_table(carla_label_table(version))
    path = folder / LABEL_TABLE
    if path.exists():
        existing = read_label_table(path)
        if {(row.id, row.name) for row in existing.rows} != {(row.id, row.name) for row in table.rows}:
            raise UserError(
                f"{path}: its {len(existing.rows)} ids mean something else than the {len(table.rows)} of "
                f"CARLA {version}; record into another folder with --output"
            )
        return existing
    with atomic_write(path, advice="make it writable or use another --output") as temporary:
        temporary.write_text(table.to_csv())
    return table
