"""The streaming channel: one TCP connection per subscription to a sensor.

A client sends the stream's id (u32) and never writes again; the server pushes messages, each preceded by its
length (u32). Every subscriber has a bounded queue and a thread that empties it, so that a slow or dead client
does not delay the others: see `StreamServer.wait_for_queue_space` and `StreamServer.publish`.
"""

from __future__ import annotations

import collections
import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.protocol.connections import BoundedServer, State

Chunk = bytes | memoryview

SUBSCRIBE_TIMEOUT = 1.0  # seconds; a client connects within milliseconds of asking for a token
GREETING_TIMEOUT = 10.0  # seconds for the stream's id to arrive
STALL_TIMEOUT = 4.0  # seconds, below the client's default timeout of 5 s
IMAGE_QUEUE_SIZE, STATE_QUEUE_SIZE = 4, 256  # messages; a state is a few kilobytes, an image megabytes


@dataclass(frozen=True)
class ExpectedSubscription:
    """A client that asked for a stream's token and has not connected yet. deadline: on the monotonic clock."""

    stream_id: int
    client: object
    deadline: float


class Subscriber:
    """One client's subscription to one stream."""

    def __init__(self, connection: socket.socket, queue_size: int) -> None:
        self.queue_size = queue_size
        self.closed = False
        self.connection = connection
        self._queue: collections.deque[tuple[Chunk, ...]] = collections.deque()
        self._changed = threading.Condition()
        threading.Thread(target=self._write, name="stream writer", daemon=True).start()

    @property
    def queued(self) -> int:
        """The number of messages that are not sent yet."""
        return len(self._queue)

    def push(self, chunks: tuple[Chunk, ...]) -> None:
        """Queue one message, given in chunks."""
        with self._changed:
            self._queue.append(chunks)
            self._changed.notify()

    def close(self) -> None:
        """End the subscription and shut down its connection, which the client notices."""
        with self._changed:
            self.closed = True
            self._queue.clear()
            self._changed.notify()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self.closed)
                if self.closed:
                    return
                chunks = self._queue[0]
            try:
                send_message(self.connection, chunks)
            except OSError:
                self.close()
                return
            with self._changed:
                if self._queue:
                    self._queue.popleft()


def send_message(connection: socket.socket, chunks: Iterable[Chunk]) -> None:
    """Send the chunks of one message after their total length, without joining them."""
    views = [memoryview(chunk).cast("B") for chunk in chunks]
    views.insert(0, memoryview(struct.pack("<I", sum(view.nbytes for view in views))))
    while views:
        sent = connection.sendmsg(views)
        while views and sent >= views[0].nbytes:
            sent -= views.pop(0).nbytes
        if sent:
            views[0] = views[0][sent:]


class StreamServer(BoundedServer):
    """All streams of the simulator. Thread-safe; only the two `wait_` methods block."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, StreamHandler)
        self._changed = threading.Condition()
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._queue_sizes: dict[int, int] = {}
        self._expected: list[ExpectedSubscription] = []

    def open(self, stream_id: int, queue_size: int = IMAGE_QUEUE_SIZE) -> None:
        """Open a stream. `queue_size`: how many messages may wait for a slow subscriber."""
        with self._changed:
            self._queue_sizes[stream_id] = queue_size
            self._subscribers[stream_id] = []

    def retire(self, stream_id: int) -> None:
        """Remove a stream: its subscribers receive nothing more.

        Their connections stay open, while there is room: a disconnected client would reconnect at once, again and
        again.
        """
        with self._changed:
            self._queue_sizes.pop(stream_id, None)
            for subscriber in self._subscribers.pop(stream_id, []):
                self.set_state(subscriber.connection, State.IDLE)
            self._expected = [item for item in self._expected if item.stream_id != stream_id]
            self._changed.notify_all()

    def expect_subscription(self, stream_id: int, client: object) -> None:
        """Note that a client asked for a stream's token and is about to connect."""
        with self._changed:
            now = time.monotonic()
            self._expected = [item for item in self._expected if item.deadline > now]
            if stream_id in self._queue_sizes:
                self._expected.append(ExpectedSubscription(stream_id, client, now + SUBSCRIBE_TIMEOUT))

    def cancel_expected_subscriptions(self, client: object) -> None:
        """Stop expecting subscriptions from a client that is gone."""
        with self._changed:
            self._expected = [item for item in self._expected if item.client is not client]
            self._changed.notify_all()

    def wait_for_expected_subscriptions(self) -> None:
        """Wait until the clients that asked for a token have connected, SUBSCRIBE_TIMEOUT at most.

        Otherwise the tick that follows `camera.listen()` could precede the subscription and its image would be lost.
        """
        with self._changed:
            while self._expected:
                remaining = max(item.deadline for item in self._expected) - time.monotonic()
                if remaining <= 0.0:
                    self._expected.clear()
                    return
                self._changed.wait(remaining)

    def wait_for_queue_space(self) -> None:
        """Wait until no subscriber's queue is full; disconnect those that stall for STALL_TIMEOUT."""
        deadline = time.monotonic() + STALL_TIMEOUT
        while stalled := [
            subscriber for subscriber in self._all_subscribers() if subscriber.queued >= subscriber.queue_size
        ]:
            if time.monotonic() > deadline:
                for subscriber in stalled:
                    subscriber.close()
            time.sleep(0.001)

    def has_subscribers(self, stream_id: int) -> bool:
        """Return whether any client is subscribed to a stream."""
        return any(not subscriber.closed for subscriber in self._subscribers.get(stream_id, ()))

    def publish(self, stream_id: int, chunks: tuple[Chunk, ...], *, may_drop: bool) -> None:
        """Send a message to all subscribers of a stream.

        With `may_drop`, a subscriber whose queue is full misses the message. Otherwise its queue may grow to twice
        its size, and the subscriber is disconnected after that.
        """
        with self._changed:
            for subscriber in self._subscribers.get(stream_id, ()):
                if subscriber.queued < (subscriber.queue_size if may_drop else 2 * subscriber.queue_size):
                    subscriber.push(chunks)
                elif not may_drop:
                    subscriber.close()

    def subscribe(self, stream_id: int, connection: socket.socket) -> Subscriber | None:
        """Subscribe a connection to a stream; return None if there is no such stream: it then counts as silent."""
        with self._changed:
            if stream_id not in self._queue_sizes:
                return None
            self.set_state(connection, State.BUSY)
            subscriber = Subscriber(connection, self._queue_sizes[stream_id])
            self._subscribers[stream_id].append(subscriber)
            arrived = next((item for item in self._expected if item.stream_id == stream_id), None)
            if arrived:
                self._expected.remove(arrived)
            self._changed.notify_all()
            return subscriber

    def unsubscribe(self, stream_id: int, subscriber: Subscriber) -> None:
        """End a subscription."""
        subscriber.close()
        with self._changed:
            subscribers = self._subscribers.get(stream_id, [])
            if subscriber in subscribers:
                subscribers.remove(subscriber)

    def _all_subscribers(self) -> list[Subscriber]:
        with self._changed:
            subscribers = [subscriber for group in self._subscribers.values() for subscriber in group]
        return [subscriber for subscriber in subscribers if not subscriber.closed]


class StreamHandler(socketserver.BaseRequestHandler):
    """One subscription: reads the stream's id, then waits for the client to leave."""

    server: StreamServer

    def handle(self) -> None:
        """Serve the connection until the client closes it or sends anything after the id."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            self.request.settimeout(GREETING_TIMEOUT)
            greeting = b""
            while len(greeting) < 4 and (data := self.request.recv(4 - len(greeting))):
                greeting += data
            self.request.settimeout(None)
            if len(greeting) == 4:
                self.serve(*struct.unpack("<I", greeting))

    def serve(self, stream_id: int) -> None:
        """Keep the subscription until the client closes the connection."""
        subscriber = self.server.subscribe(stream_id, self.request)
        try:
            self.request.recv(1)
        finally:
            if subscriber is not None:
                self.server.unsubscribe(stream_id, subscriber)
