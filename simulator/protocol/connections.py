"""A TCP server with one thread per connection, in which idle connections give way to new ones.

While there is room, none is closed for being idle: the `carla` package does not connect again, and a user may pause for
long between creating a client and the first call.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
import socketserver
import threading
import time
from dataclasses import dataclass, field
from typing import Any

MAX_CONNECTIONS = 128
IDLE_TIMEOUT = 10.0  # seconds after which a connection that is idle between two messages may give way
MAX_UNFINISHED = 64 << 20  # bytes of incomplete messages, all connections together

log = logging.getLogger(__name__)


class State(enum.IntEnum):
    """How useful a connection is; those with the lowest state give way first."""

    SILENT = 0  # nothing complete and valid has arrived
    IDLE = 1  # waits for the client's next message, or for a stream that has ended
    BUSY = 2  # a call is being answered, or a stream is being sent


@dataclass
class Connection:
    """What the server knows of a connection. since: when its state began, on the monotonic clock."""

    state: State = State.SILENT
    since: float = field(default_factory=time.monotonic)
    unfinished: int = 0  # bytes of a message that is not complete yet

    @property
    def age(self) -> float:
        """Seconds since its state began."""
        return time.monotonic() - self.since


class BoundedServer(socketserver.ThreadingTCPServer):
    """A TCP server with one thread per connection and limits on what all connections occupy together.

    Handlers report the state of their connections with `set_state` and `set_unfinished`.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        try:
            super().__init__(address, handler)
        except (OSError, OverflowError) as error:
            raise OSError(f"Cannot listen on {address[0]}:{address[1]}: {error}") from error
        self._connections: dict[socket.socket, Connection] = {}
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self.server_address[1]

    def start(self, name: str) -> None:
        """Accept connections from now on, in a background thread."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True).start()

    def set_state(self, request: socket.socket, state: State) -> None:
        """Note what a connection is doing from now on."""
        with self._lock:
            if connection := self._connections.get(request):
                connection.state, connection.since = state, time.monotonic()

    def set_unfinished(self, request: socket.socket, size: int) -> None:
        """Note how many bytes of an incomplete message a connection holds; close the largest if all hold too many."""
        with self._lock:
            if connection := self._connections.get(request):
                connection.unfinished = size
                if sum(each.unfinished for each in self._connections.values()) > MAX_UNFINISHED:
                    self._close(max(self._connections, key=lambda each: self._connections[each].unfinished))

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Accept a connection if there is room, or if another one can give way."""
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS and not self._make_room():
                return False
            self._connections[request] = Connection()
        return True

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of one connection; the others continue."""
        log.exception("Connection of %s ended with an error.", client_address)

    def _make_room(self) -> bool:
        """Close the longest silent connection or, if none is silent, the longest idle one; return whether there is."""
        candidates = [
            (connection.state, connection.since, request)
            for request, connection in self._connections.items()
            if connection.state == State.SILENT or (connection.state == State.IDLE and connection.age > IDLE_TIMEOUT)
        ]
        if candidates:
            self._close(min(candidates, key=lambda each: each[:2])[2])
        return bool(candidates)

    def _close(self, request: socket.socket) -> None:
        """Close a connection, so that its handler ends. Its slot is free at once."""
        del self._connections[request]
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
