"""Find a CARLA server or, where none answers, start the embedded town as a process of its own."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from segmentation.errors import UserError
from segmentation.recording.guarding import die_with_parent

PROJECT = Path(__file__).resolve().parents[2]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
START_SECONDS = 180.0  # for the embedded town to build its streets and compile its drawing
# A msgpack-rpc request for "version", and how an answer to it begins: a list of four, a reply (1) to request 0.
VERSION_REQUEST = b"\x94\x00\x00\xa7version\x91\x91\xc2"
REPLY = b"\x94\x01\x00"


@dataclass(frozen=True)
class Simulator:
    """A server that has answered. `version` is its own, such as "0.9.16"; `timeout` in seconds."""

    host: str
    port: int
    timeout: float
    client: Any
    version: str

    def answers(self) -> bool:
        """Whether it still does; a client's calls to a dead server would each wait for the whole time-out."""
        return _probe(self.host, self.port, min(self.timeout, 5.0)) == "carla"

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Let calls take this long: the first picture of a town can take a minute."""
        self.client.set_timeout(max(seconds, self.timeout))
        try:
            yield
        finally:
            self.client.set_timeout(self.timeout)

    @contextmanager
    def told_simply(self) -> Iterator[None]:
        """Tell what the client raises when the server is gone, slow or wrong as one sentence."""
        try:
            yield
        except RuntimeError as error:
            state = "does not do what it should" if self.answers() else "is gone or hangs"
            raise UserError(
                f"{self.host}:{self.port}: the simulator {state} ({_one_line(error)}); what was recorded so far is "
                "whole: start the simulator again and repeat the command to go on"
            ) from error


@contextmanager
def simulator(host: str, port: int, timeout: float, seed: int) -> Iterator[Simulator]:
    """The server at `host`:`port` or, when nothing listens there and it is this machine, the embedded town.

    The town gets a free port, and is stopped in the end. Raises `UserError` when the address is another
    machine's and silent, when what listens there is no CARLA server, and when no town can be started.
    """
    found = _probe(host, port, timeout)
    if found == "carla":
        yield connect(host, port, timeout)
    elif found == "other":
        raise UserError(
            f"{host}:{port}: no CARLA server answers within {timeout:g} s: what listens there is another program or "
            "hangs; start the server again or name its address with --host and --port"
        )
    elif host not in LOOPBACK:
        raise UserError(f"{host}:{port}: no CARLA server answers; start one there or change --host and --port")
    else:
        with _embedded_town(seed) as town_port:
            print(f"No CARLA server at {host}:{port}: the embedded town records instead (port {town_port}).")
            yield connect("127.0.0.1", town_port, timeout)


@contextmanager
def ends_cleanly() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise once and are ignored from then on, so that nothing interrupts the tidying up.

    Ctrl-C raises KeyboardInterrupt, SIGTERM SystemExit with status 143.
    """

    def end(number: int, _: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        print("\nStopping ...", file=sys.stderr)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    caught = (signal.SIGINT, signal.SIGTERM)
    for number in caught:
        signal.signal(number, end)
    yield


def _probe(host: str, port: int, timeout: float) -> str:
    """What listens there: "carla", "other", or "nobody".

    Done without the `carla` package, whose calls can wait for ever on a port that nobody serves.
    """
    try:
        connection = socket.create_connection((host, port), timeout)
    except OverflowError:
        raise UserError(f"--port is {port}; use a number from 1 to 65535") from None
    except (socket.gaierror, UnicodeError):
        raise UserError(f"{host}: no such machine is known; change --host") from None
    except OSError:
        return "nobody"
    with connection, contextlib.suppress(OSError):
        connection.settimeout(timeout)
        connection.sendall(VERSION_REQUEST)
        answer = b""
        while len(answer) < len(REPLY) and (data := connection.recv(64)):
            answer += data
        if answer.startswith(REPLY):
            return "carla"
    return "other"


def load_carla() -> Any:
    """The `carla` package. Raises `UserError` when it is missing."""
    try:
        import carla
    except ImportError:
        raise UserError(
            "the carla package is not installed; it has wheels for Python 3.10 to 3.12 on Linux x86-64 and Windows: "
            "make the virtual environment with one of them"
        ) from None
    return carla


def connect(host: str, port: int, timeout: float) -> Simulator:
    """The CARLA server that listens there. Raises `UserError` when it does not answer or the package is missing."""
    carla = load_carla()
    client = carla.Client(host, port)
    client.set_timeout(timeout)
    try:
        version = client.get_server_version()
    except RuntimeError as error:
        raise UserError(
            f"{host}:{port}: no CARLA server answers ({_one_line(error)}); start it again or change --host and --port"
        ) from None
    if not re.match(r"\d+\.\d+", version):
        raise UserError(f"{host}:{port}: says that its version is {version[:40]!r}; start a CARLA server there")
    return Simulator(host, port, timeout, client, version)


@contextmanager
def _embedded_town(seed: int) -> Iterator[int]:
    """The port of a town that lives as long as the context, and no longer than this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the recorder, which needs the town until it has tidied up
        preexec_fn=partial(die_with_parent, signal.SIGTERM) if sys.platform == "linux" else None,
    )
    try:
        assert process.stdout is not None
        said = "it says nothing"
        for line in process.stdout:
            if match := re.search(r":(\d+);", line):
                break
            said = line.strip() or said
        else:
            raise UserError(
                f"the embedded town does not start ({said}); install requirements.txt again, or start a CARLA server "
                "and name it with --host and --port"
            )
        # Nobody reads what it says from now on, but a full pipe would stop it.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield int(match[1])
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def free_port() -> int:
    """A TCP port that is free on this machine."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        return taken.getsockname()[1]
