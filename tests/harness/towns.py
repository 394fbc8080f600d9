"""Run embedded towns in separate processes: a client holds the interpreter's lock while it waits for answers."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import carla

from tests.harness.processes import start

CLIENTS = []  # kept: the package may crash when a client is deleted while a stream is busy


@dataclass
class Town:
    """A town that runs."""

    process: subprocess.Popen
    port: int
    stream_port: int | None  # known of a stub town

    def client(self, timeout: float = 30.0) -> carla.Client:
        client = carla.Client("127.0.0.1", self.port)
        client.set_timeout(timeout)
        CLIENTS.append(client)
        return client

    def settings(self) -> tuple[bool, float | None]:
        """Return whether the town is in synchronous mode, and the seconds of a tick if they are fixed."""
        settings = self.client().get_world().get_settings()
        return settings.synchronous_mode, settings.fixed_delta_seconds

    def leftovers(self) -> int:
        """Count the actors of recorders that are alive. The town has to be in asynchronous mode."""
        world = self.client().get_world()
        world.wait_for_tick()
        kinds = ("vehicle.*", "walker.*", "sensor.*", "controller.*")
        return sum(len(world.get_actors().filter(kind)) for kind in kinds)


@contextlib.contextmanager
def running_town(*flags: object) -> Iterator[Town]:
    """Run `python -m simulator` on a free port; kill it at the end, and fail if it has crashed."""
    with _running("simulator", "--port", 0, *flags) as town:
        yield town


@contextlib.contextmanager
def running_stub_town(*flags: object) -> Iterator[Town]:
    """Run the same town with images that cost nothing (see stub_town.py for the flags)."""
    with _running("tests.harness.stub_town", *flags) as town:
        yield town


@contextlib.contextmanager
def _running(module: str, *flags: object) -> Iterator[Town]:
    process = start("-m", module, *flags)
    try:
        ready = (re.search(r":(\d+);(?: streams on (\d+))?", line) for line in process.stdout)
        port, stream_port = next(filter(None, ready)).groups()
        yield Town(process, int(port), int(stream_port) if stream_port else None)
        assert process.poll() in (None, 0, -signal.SIGKILL), "the town has crashed"
    finally:
        process.kill()
        process.wait(10)
