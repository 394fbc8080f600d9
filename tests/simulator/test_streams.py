"""The streaming channel, spoken with plain sockets."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from simulator.protocol import streams
from simulator.protocol.streams import StreamServer

STREAM = 5
ROOM = 3
LARGE = bytes(4 << 20)  # more than the kernel's buffers hold


@pytest.fixture
def server():
    server = StreamServer(("127.0.0.1", 0))
    server.start("streams")
    server.open(STREAM, ROOM)
    yield server
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def subscribed(server, stream=STREAM):
    with socket.create_connection(("127.0.0.1", server.port), 5.0) as connection:
        server.expect(stream, connection)
        connection.sendall(struct.pack("<I", stream))
        server.wait_for_expected()
        yield connection


def receive(connection):
    """One message."""
    size = struct.unpack("<I", read(connection, 4))[0]
    return read(connection, size)


def read(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(min(1 << 20, size - len(data)))
        assert part, "the server hung up"
        data += part
    return data


def test_every_subscriber_gets_every_message_whole_and_in_order(server):
    with subscribed(server) as one, subscribed(server) as other:
        for number in range(2):
            server.publish(STREAM, (b"frame", memoryview(bytes([number]) * 3)), may_drop=False)
        for connection in (one, other):
            assert [receive(connection) for _ in range(2)] == [b"frame\0\0\0", b"frame\1\1\1"]


def test_a_slow_subscriber_misses_messages_that_may_be_dropped(server):
    with subscribed(server) as slow:
        for number in range(20):
            server.publish(STREAM, (bytes([number]), LARGE), may_drop=True)
        got = [receive(slow)[0] for _ in range(ROOM)]
        assert got == list(range(ROOM))
        slow.settimeout(0.3)
        with pytest.raises(TimeoutError):
            receive(slow)
        slow.settimeout(5.0)
        server.publish(STREAM, (b"\xff",), may_drop=True)
        assert receive(slow) == b"\xff"


def test_a_subscriber_that_stalls_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(streams, "STALL_SECONDS", 0.2)
    with subscribed(server) as stalled:
        for _ in range(ROOM):
            server.publish(STREAM, (LARGE,), may_drop=False)
        server.wait_for_room()
        assert not server.subscribed(STREAM)
        with pytest.raises(AssertionError, match="hung up"):
            for _ in range(ROOM):
                receive(stalled)


def test_nobody_waits_for_a_client_that_is_gone(server):
    client = object()
    server.expect(STREAM, client)
    waiting = threading.Thread(target=server.wait_for_expected)
    waiting.start()
    server.expect_nothing_from(client)
    waiting.join(streams.SUBSCRIBE_SECONDS / 2.0)
    assert not waiting.is_alive()


def test_a_retired_stream_falls_silent_without_hanging_up(server):
    with subscribed(server) as connection:
        server.retire(STREAM)
        server.publish(STREAM, (b"late",), may_drop=False)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_subscription_ends_with_its_connection(server):
    with subscribed(server):
        assert server.subscribed(STREAM)
    deadline = time.monotonic() + 5.0
    while server.subscribed(STREAM) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server.subscribed(STREAM)
