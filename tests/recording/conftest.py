"""Simulators and recorders in processes of their own, as a person runs them."""

import contextlib
import csv
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

carla = pytest.importorskip("carla", reason="the recorder's tests need the carla package")

from tests.conftest import ROOT  # noqa: E402

SCRIPT = "01_synchronous_mode_recording.py"
SMALL = ("--size", 96, 64, "--vehicles", 2, "--walkers", 2, "--writers", 2, "--no-window")
CLIENTS = []  # kept: the package may crash when a client goes while a stream is busy


def start(*command, **environment):
    """A process that can import the project; its output, standard error included, is a pipe."""
    return subprocess.Popen(
        [sys.executable, "-u", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@dataclass
class Town:
    """A simulator that runs."""

    port: int
    process: subprocess.Popen

    def client(self):
        client = carla.Client("127.0.0.1", self.port)
        client.set_timeout(30.0)
        CLIENTS.append(client)
        return client

    def settings(self):
        found = self.client().get_world().get_settings()
        return found.synchronous_mode, found.fixed_delta_seconds

    def leftovers(self):
        """How many actors of recorders are alive; the town has to tick by itself."""
        world = self.client().get_world()
        world.wait_for_tick()
        kinds = ("vehicle.*", "walker.*", "sensor.*", "controller.*")
        return sum(len(world.get_actors().filter(kind)) for kind in kinds)


@contextlib.contextmanager
def running_town(*command) -> Iterator[Town]:
    process = start(*command)
    try:
        ports = (re.search(r":(\d+);", line) for line in process.stdout)
        yield Town(int(next(filter(None, ports))[1]), process)
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="session")
def town():
    """The embedded town."""
    with running_town("-m", "simulator", "--port", 0, "--map", "Eastfield", "--seed", 1) as town:
        yield town


@contextlib.contextmanager
def plain_town(*flags) -> Iterator[Town]:
    """The same streets with pictures that cost nothing and show the number of their tick."""
    with running_town(Path(__file__).parent / "serve.py", *flags) as town:
        yield town


@pytest.fixture(scope="session")
def plain():
    with plain_town() as town:
        yield town


class Recorder:
    """The script, running; its output is read as it comes."""

    def __init__(self, port, output, *arguments, **environment):
        self.folder = Path(output)
        self.process = start(SCRIPT, "--port", port, "--output", output, *SMALL, *arguments, **environment)
        self.output = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while text := self.process.stdout.read(1):
            self.output += text

    def wait_for_pictures(self, count, seconds=60.0):
        """Until the dataset has so many rows."""
        self._wait(lambda: len(rows_of(self.folder)) >= count, seconds)

    def wait_for_text(self, text, seconds=60.0):
        self._wait(lambda: text in self.output, seconds)

    def _wait(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def end(self, seconds=60.0):
        """Exit status, once it has ended by itself."""
        status = self.process.wait(seconds)
        time.sleep(0.1)
        return status


@pytest.fixture
def record():
    """Start recorders; they are killed in the end if they still run."""
    running = []

    def begin(port, output, *arguments, **environment):
        running.append(Recorder(getattr(port, "port", port), output, *arguments, **environment))
        return running[-1]

    yield begin
    for recorder in running:
        recorder.process.kill()


def rows_of(folder):
    path = folder / "frames.csv"
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return list(csv.DictReader(whole.splitlines()))


def assert_whole(folder, extras=()):
    """Every file can be decoded, every row has its files, every picture its row, and nothing lies about."""
    rows = rows_of(folder)
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    for kind in ("rgb", "seg_raw", "seg", *extras):
        assert {path.name for path in (folder / kind).iterdir()} == {f"{kind}_{name}.png" for name in names}
        for name in names:
            image = cv2.imread(str(folder / kind / f"{kind}_{name}.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None and image.shape[:2] == (64, 96), name
    return rows


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
