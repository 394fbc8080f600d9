"""The RPC channel: msgpack-rpc over TCP, one thread per client.

A request is `[0, id, method, arguments]`, a notification `[2, method, arguments]`, a response
`[1, id, error, result]`; messages have no framing other than msgpack. The first argument is the client's
metadata (whether it waits for the response). Malformed bytes close the connection that sent them.
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
MAX_MESSAGE_SIZE = 32 << 20  # bytes; the largest message of a client is an OpenDRIVE text
MAX_CONNECTIONS = 128

log = logging.getLogger(__name__)


class MalformedMessageError(Exception):
    """The bytes received are not msgpack-rpc."""


class UnknownMethodError(Exception):
    """The method does not exist; reported to the client as an error of the RPC layer."""


Dispatch = Callable[[object, str, list[Any]], Any]
"""(connection, method, arguments without metadata) -> result as it is sent."""


class BoundedServer(socketserver.ThreadingTCPServer):
    """A TCP server with one thread per connection and a limit on the number of connections."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        try:
            super().__init__(address, handler)
        except (OSError, OverflowError) as error:
            raise OSError(f"Cannot listen on {address[0]}:{address[1]}: {error}") from error
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Accept a connection only if a slot is free."""
        return self._slots.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, then free its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of one connection; the others continue."""
        log.exception("Connection of %s ended with an error.", client_address)

    def start(self, name: str) -> None:
        """Accept connections from now on, in a background thread."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True).start()


class RpcServer(BoundedServer):
    """Answers calls with `dispatch`; `on_disconnect` is called for every connection that ends."""

    def __init__(self, address: tuple[str, int], dispatch: Dispatch, on_disconnect: Callable[[object], None]) -> None:
        super().__init__(address, RpcHandler)
        self.dispatch = dispatch
        self.on_disconnect = on_disconnect


class RpcHandler(socketserver.BaseRequestHandler):
    """One client's connection. Calls are answered in the order in which they arrive."""

    server: RpcServer

    def handle(self) -> None:
        """Answer calls until the client leaves or sends something malformed."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        packer = msgpack.Packer(use_bin_type=True, unicode_errors="surrogateescape")
        try:
            for message in self.messages():
                response = self.answer(message)
                if response is not None:
                    self.request.sendall(packer.pack(response))
        except MalformedMessageError as error:
            log.warning("Connection of %s closed: %s.", self.client_address, error)
        except OSError:
            pass  # the client is gone
        finally:
            self.server.on_disconnect(self)

    def messages(self) -> Iterator[list[Any]]:
        """Yield the client's messages one by one; raise MalformedMessageError."""
        unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=MAX_MESSAGE_SIZE
        )
        while data := self.request.recv(1 << 16):
            try:
                unpacker.feed(data)
                for message in unpacker:
                    yield check_message(message)
            except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
                raise MalformedMessageError(f"not msgpack ({type(error).__name__})") from error

    def answer(self, message: list[Any]) -> list[Any] | None:
        """Return the response to a checked message, None if it needs none."""
        if message[0] == RESPONSE:
            return None
        method, arguments = message[-2:]
        try:
            error, result = None, self.server.dispatch(self, method, arguments[1:])
        except UnknownMethodError as unknown:
            error, result = str(unknown), None
        return [RESPONSE, message[1], error, result] if message[0] == REQUEST else None


def check_message(message: Any) -> list[Any]:
    """Return the message if it has the structure of msgpack-rpc; raise MalformedMessageError otherwise."""
    match message:
        case [0, int(), str(), list()] | [2, str(), list()] | [1, int(), _, _]:
            return message
    raise MalformedMessageError("not msgpack-rpc")
