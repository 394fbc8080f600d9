"""Run script 01 on small images, and check the dataset folders that it writes."""

import csv
from pathlib import Path

import cv2

from tests.harness.scripts import Script

SCRIPT = "01_synchronous_mode_recording.py"
WIDTH, HEIGHT = 96, 64
SMALL = ("--size", WIDTH, HEIGHT, "--vehicles", 2, "--walkers", 2, "--writers", 2, "--no-window")


class Recorder(Script):
    """The script, recording into `folder` from the server at `port`."""

    def __init__(self, port: int, folder: Path, *arguments: object, **environment: str) -> None:
        self.folder = folder
        super().__init__(SCRIPT, "--port", port, "--output", folder, *SMALL, *arguments, **environment)

    def wait_for_images(self, count: int, seconds: float = 60.0) -> None:
        """Wait until the dataset has this many images."""
        self.wait_until(lambda: len(read_rows(self.folder)) >= count, seconds)


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Return the complete rows of frames.csv; none while there is no file."""
    path = folder / "frames.csv"
    if not path.exists():
        return []
    complete = path.read_text().rpartition("\n")[0]
    return list(csv.DictReader(complete.splitlines()))


def assert_complete(folder: Path, extra_kinds: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Check that every file decodes, every row has its files, and there are no other files. Return the rows."""
    rows = read_rows(folder)
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    for kind in ("rgb", "seg_raw", "seg", *extra_kinds):
        assert {path.name for path in (folder / kind).iterdir()} == {f"{kind}_{name}.png" for name in names}
        for name in names:
            image = cv2.imread(str(folder / kind / f"{kind}_{name}.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None and image.shape[:2] == (HEIGHT, WIDTH), name
    return rows
