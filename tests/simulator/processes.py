"""Simulators in processes of their own: a client holds the interpreter's lock while it waits for answers."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import carla

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

CLIENTS = []  # kept: the package may crash when a client goes while a stream is busy


@dataclass
class Town:
    port: int
    stream_port: int
    pid: int

    def client(self):
        client = carla.Client("127.0.0.1", self.port)
        client.set_timeout(20.0)
        CLIENTS.append(client)
        return client


def start(*command):
    """A process that can import the project; its standard output is a pipe."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
    )


@contextlib.contextmanager
def running_town(*flags):
    process = start(HERE / "serve.py", *flags)
    try:
        yield Town(*map(int, process.stdout.readline().split()), process.pid)
        assert process.poll() is None, "the simulator ended by itself"
    finally:
        process.terminate()
        process.wait(10)
