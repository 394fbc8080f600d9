"""The RPC channel: msgpack-rpc over TCP, one thread per client.

A request is `[0, id, method, arguments]`, a notification `[2, method, arguments]`, a response
`[1, id, error, result]`; messages have no framing other than msgpack. The first argument is the client's
metadata (whether it waits for the response). Malformed bytes close the connection that sent them.
"""

from __future__ import annotations

import logging
import socket
import socketserver
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

from simulator.protocol.connections import BoundedServer, State

REQUEST, RESPONSE = 0, 1
MAX_MESSAGE_SIZE = 32 << 20  # bytes; the largest message of a client is an OpenDRIVE text
MAX_VALUES = 1_000_000  # of one message; the largest batch has MAX_ACTORS commands of some dozen values
FIRST_BYTES = (0x93, 0x94)  # of a message: an array of 3 or 4 values

log = logging.getLogger(__name__)


class MalformedMessageError(Exception):
    """The bytes received are not msgpack-rpc."""


class UnknownMethodError(Exception):
    """The method does not exist; reported to the client as an error of the RPC layer."""


Dispatch = Callable[[object, str, list[Any]], Any]
"""(connection, method, arguments without metadata) -> result as it is sent."""


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
                self.server.set_state(self.request, State.BUSY)
                response = self.answer(message)
                self.server.set_state(self.request, State.IDLE)
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
        splitter = MessageSplitter()
        while data := self.request.recv(1 << 16):
            for message in splitter.feed(data):
                yield check_message(decode(message))
            self.server.set_unfinished(self.request, splitter.unfinished)

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


class MessageSplitter:
    """Splits a stream of bytes into messages.

    No value is built before its message is complete: an incomplete message takes as much memory as its bytes.
    """

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_SIZE)
        self._bytes = bytearray()  # of the incomplete message
        self._start = 0  # its place in the stream

    @property
    def unfinished(self) -> int:
        """The number of bytes of the incomplete message."""
        return len(self._bytes)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield the messages that they complete; raise MalformedMessageError."""
        self._bytes += data
        try:
            self._scanner.feed(data)
            while self._bytes:
                if self._bytes[0] not in FIRST_BYTES:
                    raise MalformedMessageError("not msgpack-rpc")
                self._scanner.skip()
                size = self._scanner.tell() - self._start
                self._start += size
                message = bytes(self._bytes[:size])
                del self._bytes[:size]
                yield message
        except msgpack.OutOfData:
            pass  # the message is not complete yet
        except (ValueError, msgpack.UnpackException) as error:
            raise MalformedMessageError(f"not msgpack ({type(error).__name__})") from error
        if len(self._bytes) > MAX_MESSAGE_SIZE:
            raise MalformedMessageError(f"larger than {MAX_MESSAGE_SIZE} bytes")


def decode(message: bytes) -> Any:
    """Return the values of a complete message; raise MalformedMessageError.

    Numbers, texts and empty lists take up to 70 times as much memory as their bytes, so their number is limited.
    """
    count = 0

    def count_values(values: Any) -> Any:
        nonlocal count
        count += 1 + len(values)
        if count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        return values

    try:
        return msgpack.unpackb(
            message,
            raw=False,
            strict_map_key=False,
            unicode_errors="surrogateescape",
            list_hook=count_values,
            object_hook=count_values,
            max_array_len=MAX_VALUES,
            max_map_len=MAX_VALUES,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise MalformedMessageError(f"not msgpack ({error})") from error


def check_message(message: Any) -> list[Any]:
    """Return the message if it has the structure of msgpack-rpc; raise MalformedMessageError otherwise."""
    match message:
        case [0, int(), str(), list()] | [2, str(), list()] | [1, int(), _, _]:
            return message
    raise MalformedMessageError("not msgpack-rpc")
