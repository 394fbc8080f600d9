"""Find a CARLA server and connect to it; if none answers on this machine, use the embedded town."""

import contextlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from recording.embedded_town import embedded_town
from segmentation.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOADING_SECONDS = 180.0  # longest wait for a server to load a town, or to render its first image
PROBE_SECONDS = 5.0  # longest wait for a sign of life from a server that has answered before
CONTINUE = "everything recorded so far is complete: restart the simulator and repeat the command to continue"
VERSION = re.compile(r"\d{1,4}\.\d{1,4}[\w.+-]{0,60}", re.ASCII)  # such as 0.9.16 or 0.9.15-3-g3b1d2e8
# A msgpack-rpc request for "version", and the start of a reply to it: a list of four, type 1 (reply), request 0.
VERSION_REQUEST = b"\x94\x00\x00\xa7version\x91\x91\xc2"
REPLY = b"\x94\x01\x00"


@dataclass(frozen=True)
class Server:
    """A server that has answered. `version` is the server's own, such as "0.9.16"; `timeout` is in seconds."""

    host: str
    port: int
    timeout: float
    client: Any
    version: str

    def answers(self) -> bool:
        """Return whether it still answers. Ask before cleaning up: each call to a dead server waits for the timeout."""
        return _probe(self.host, self.port, min(self.timeout, PROBE_SECONDS)) == "carla"

    @contextmanager
    def extended_timeout(self, seconds: float) -> Iterator[None]:
        """Let calls take this long: the first image of a town can take a minute."""
        self.client.set_timeout(max(seconds, self.timeout))
        try:
            yield
        finally:
            self.client.set_timeout(self.timeout)

    @contextmanager
    def user_errors(self) -> Iterator[None]:
        """Turn what the client raises when the server is gone, slow or faulty into a `UserError`."""
        try:
            yield
        except Exception as error:
            if not _is_from_carla(error):
                raise
            state = "reported an error" if self.answers() else "is gone or hangs"
            raise UserError(
                f"{self.host}:{self.port}: the simulator {state} ({_one_line(error)}); {CONTINUE}"
            ) from error


@contextmanager
def carla_calls() -> Iterator[None]:
    """Let the `carla` package raise RuntimeError for all answers that it cannot use, as it does for most.

    Only for calls of the package: a mistake of this project should not look like one of the server.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise RuntimeError(f"invalid answer: {_one_line(error)}") from error


@contextmanager
def open_server(host: str, port: int, timeout: float, seed: int) -> Iterator[Server]:
    """Connect to the server at `host`:`port` or, if nothing listens there and it is this machine, to the embedded town.

    The town listens on a free port and is stopped at the end. Raise `UserError` if another machine does not answer, if
    what listens there is no CARLA server, or if the town does not start.
    """
    listener = _probe(host, port, timeout)
    if listener == "carla":
        yield connect(host, port, timeout)
    elif listener == "other":
        raise UserError(
            f"{host}:{port}: no CARLA server answers within {timeout:g} s: another program listens there, or the "
            "server hangs; restart the server or give its address with --host and --port"
        )
    elif host not in LOOPBACK:
        raise UserError(f"{host}:{port}: no CARLA server answers; start one there or change --host and --port")
    else:
        with embedded_town(seed) as town_port:
            print(f"No CARLA server at {host}:{port}: recording from the embedded town instead (port {town_port}).")
            yield connect("127.0.0.1", town_port, timeout)


def connect(host: str, port: int, timeout: float) -> Server:
    """Connect to the CARLA server that listens there.

    Raise `UserError` if it does not answer or the `carla` package is missing.
    """
    carla = load_carla()
    client = carla.Client(host, port)
    client.set_timeout(timeout)
    try:
        with carla_calls():
            version = client.get_server_version()
    except RuntimeError as error:
        raise UserError(
            f"{host}:{port}: no CARLA server answers ({_one_line(error)}); restart it or change --host and --port"
        ) from None
    if not VERSION.fullmatch(version):
        raise UserError(f"{host}:{port}: reports that its version is {version[:40]!r}; start a CARLA server there")
    return Server(host, port, timeout, client, version)


def load_carla() -> Any:
    """Return the `carla` package. Raise `UserError` if it is missing."""
    try:
        import carla
    except ImportError:
        raise UserError(
            "the carla package is not installed; it has wheels for Python 3.10 to 3.12 on Linux x86-64 and Windows: "
            "create the virtual environment with one of these versions"
        ) from None
    return carla


def free_port() -> int:
    """Return a TCP port that is free on this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _probe(host: str, port: int, timeout: float) -> Literal["carla", "other", "nobody"]:
    """Return what listens there.

    Does not use the `carla` package, whose calls can wait forever on a port where nothing listens.
    """
    try:
        connection = socket.create_connection((host, port), timeout)
    except OverflowError:
        raise UserError(f"--port is {port}; use a number from 1 to 65535") from None
    except (socket.gaierror, UnicodeError):
        raise UserError(f"{host}: unknown host; change --host") from None
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


def _is_from_carla(error: Exception) -> bool:
    """Return whether the `carla` package raised this, which has no exceptions of its own.

    An attribute that one of its objects lacks tells that the server sent another kind of object than was asked for.
    """
    if isinstance(error, AttributeError):
        return type(error.obj).__module__.startswith("carla")
    return isinstance(error, RuntimeError | UnicodeDecodeError) or type(error).__module__ == "Boost.Python"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
