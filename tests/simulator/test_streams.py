"""The streaming channel, tested with plain sockets."""

import contextlib
import socket
import struct
import threading

import pytest

from simulator.protocol import streams
from simulator.protocol.streams import StreamServer
from tests.harness.processes import wait_until

STREAM = 5
QUEUE_SIZE = 3
LARGE = bytes(4 << 20)  # more than the kernel's buffers hold


@pytest.fixture
def server():
    server = StreamServer(("127.0.0.1", 0))
    server.start("streams")
    server.open(STREAM, QUEUE_SIZE)
    yield server
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def subscription(server, stream=STREAM):
    with socket.create_connection(("127.0.0.1", server.port), 5.0) as connection:
        server.expect_subscription(stream, connection)
        connection.sendall(struct.pack("<I", stream))
        server.wait_for_expected_subscriptions()
        yield connection


def receive(connection):
    """Return one message."""
    size = struct.unpack("<I", read(connection, 4))[0]
    return read(connection, size)


def read(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(min(1 << 20, size - len(data)))
        assert part, "the server closed the connection"
        data += part
    return data


def test_every_subscriber_receives_every_message_complete_and_in_order(server):
    with subscription(server) as one, subscription(server) as other:
        for number in range(2):
            server.publish(STREAM, (b"frame", memoryview(bytes([number]) * 3)), may_drop=False)
        for connection in (one, other):
            assert [receive(connection) for _ in range(2)] == [b"frame\0\0\0", b"frame\1\1\1"]


def test_slow_subscriber_misses_messages_that_may_be_dropped(server):
    with subscription(server) as slow:
        for number in range(20):
            server.publish(STREAM, (bytes([number]), LARGE), may_drop=True)
        received = [receive(slow)[0] for _ in range(QUEUE_SIZE)]
        assert received == list(range(QUEUE_SIZE))
        slow.settimeout(0.3)
        with pytest.raises(TimeoutError):
            receive(slow)
        slow.settimeout(5.0)
        server.publish(STREAM, (b"\xff",), may_drop=True)
        assert receive(slow) == b"\xff"


def test_stalled_subscriber_is_disconnected(server, monkeypatch):
    monkeypatch.setattr(streams, "STALL_TIMEOUT", 0.2)
    with subscription(server) as stalled:
        for _ in range(QUEUE_SIZE):
            server.publish(STREAM, (LARGE,), may_drop=False)
        server.wait_for_queue_space()
        assert not server.has_subscribers(STREAM)
        with pytest.raises(AssertionError, match="closed the connection"):
            for _ in range(QUEUE_SIZE):
                receive(stalled)


def test_tick_does_not_wait_for_a_client_that_is_gone(server):
    client = object()
    server.expect_subscription(STREAM, client)
    waiter = threading.Thread(target=server.wait_for_expected_subscriptions)
    waiter.start()
    server.cancel_expected_subscriptions(client)
    waiter.join(streams.SUBSCRIBE_TIMEOUT / 2.0)
    assert not waiter.is_alive()


def test_retired_stream_sends_nothing_and_stays_connected(server):
    with subscription(server) as connection:
        server.retire(STREAM)
        server.publish(STREAM, (b"late",), may_drop=False)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_subscription_ends_with_its_connection(server):
    with subscription(server):
        assert server.has_subscribers(STREAM)
    wait_until(lambda: not server.has_subscribers(STREAM), 5.0)
