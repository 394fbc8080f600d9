"""The RPC channel: msgpack-rpc over TCP, one thread for each client.

A request is `[0, id, method, arguments]`, a notification `[2, method, arguments]`, a reply
`[1, id, error, result]`; nothing frames them but msgpack itself. The first argument is the client's metadata
(whether it waits for the answer). Bytes that are no such message close the connection that sent them.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

REQUEST, RESPONSE = 0, 1
LARGEST_MESSAGE = 32 << 20  # bytes; an OpenDRIVE text is the largest that a client sends
MOST_CONNECTIONS = 128

log = logging.getLogger(__name__)


class MalformedMessageError(Exception):
    """The bytes received are not msgpack-rpc."""


class UnknownMethodError(Exception):
    """No such call; reported to the client as an error of the RPC layer."""


Dispatch = Callable[[object, str, list[Any]], Any]
"""(connection, method, arguments without metadata) -> result as it goes on the wire."""


class BoundedServer(socketserver.ThreadingTCPServer):
    """A TCP server with one thread for each connection and a limit on their number."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        try:
            super().__init__(address, handler)
        except (OSError, OverflowError) as error:
            raise OSError(f"Cannot listen on {address[0]}:{address[1]}: {error}") from error
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turns a connection away when all places are taken."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection and then frees its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs what went wrong on one connection; the others go on."""
        log.exception("Connection of %s ended with an error.", client_address)

    def start(self, name: str) -> None:
        """Accepts connections from now on, in a thread of its own."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True).start()


class RpcServer(BoundedServer):
    """Answers calls with `dispatch`; `on_disconnect` is told about every connection that ends."""

    def __init__(self, address: tuple[str, int], dispatch: Dispatch, on_disconnect: Callable[[object], None]) -> None:
        super().__init__(address, RpcHandler)
        self.dispatch = dispatch
        self.on_disconnect = on_disconnect


class RpcHandler(socketserver.BaseRequestHandler):
    """One client's connection. Calls are answered in the order in which they arrive."""

    server: RpcServer

    def handle(self) -> None:
        """Answers calls until the client leaves or sends something malformed."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        packer = msgpack.Packer(use_bin_type=True, unicode_errors="surrogateescape")
        try:
            for message in self.messages():
                reply = self.answer(message)
                if reply is not None:
                    self.request.sendall(packer.pack(reply))
        except MalformedMessageError as trouble:
            log.warning("Connection of %s closed: %s.", self.client_address, trouble)
        except OSError:
            pass  # the client is gone
        finally:
            self.server.on_disconnect(self)

    def messages(self) -> Iterator[list[Any]]:
        """What the client sends, message by message; raises MalformedMessageError."""
        unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=LARGEST_MESSAGE
        )
        while data := self.request.recv(1 << 16):
            try:
                unpacker.feed(data)
                for message in unpacker:
                    yield check_message(message)
            except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
                raise MalformedMessageError(f"not msgpack ({type(error).__name__})") from error

    def answer(self, message: list[Any]) -> list[Any] | None:
        """The reply to a checked message, None if it needs none."""
        if message[0] == RESPONSE:
            return None
        method, arguments = message[-2:]
        try:
            error, result = None, self.server.dispatch(self, method, arguments[1:])
        except UnknownMethodError as trouble:
            error, result = str(trouble), None
        return [RESPONSE, message[1], error, result] if message[0] == REQUEST else None


def check_message(message: Any) -> list[Any]:
    """The message itself if it has the shape of msgpack-rpc; raises MalformedMessageError otherwise."""
    match message:
        case [0, int(), str(), list()] | [2, str(), list()] | [1, int(), _, _]:
            return message
    raise MalformedMessageError("not msgpack-rpc")
