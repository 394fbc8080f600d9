"""The streaming channel: one TCP connection for each subscription to a sensor.

A client sends the stream's id (u32) and never writes again; the server pushes messages, each behind its
length (u32). Every subscriber has a bounded queue and a thread that empties it, so that a slow or dead client
holds up nobody: see `StreamServer.wait_for_room` and `StreamServer.publish`.
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

from simulator.protocol.rpc import BoundedServer

Chunk = bytes | memoryview

SUBSCRIBE_SECONDS = 1.0  # a client connects within milliseconds of asking for a token
GREETING_SECONDS = 10.0
STALL_SECONDS = 4.0  # below the client's default time-out of 5 s
IMAGE_ROOM, STATE_ROOM = 4, 256  # messages; a state is some kilobytes, an image megabytes


@dataclass(frozen=True)
class Expected:
    """A client that asked for a stream's token and has not connected yet. until: by the monotonic clock."""

    stream_id: int
    who: object
    until: float


class Subscriber:
    """One client's subscription to one stream."""

    def __init__(self, connection: socket.socket, room: int) -> None:
        self.room = room
        self.closed = False
        self._socket = connection
        self._queue: collections.deque[tuple[Chunk, ...]] = collections.deque()
        self._filled = threading.Condition()
        threading.Thread(target=self._write, name="stream writer", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Messages that are not sent yet."""
        return len(self._queue)

    def push(self, chunks: tuple[Chunk, ...]) -> None:
        """Queues one message, given in pieces."""
        with self._filled:
            self._queue.append(chunks)
            self._filled.notify()

    def close(self) -> None:
        """Ends the subscription; the client notices that the connection is gone."""
        with self._filled:
            self.closed = True
            self._queue.clear()
            self._filled.notify()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while True:
            with self._filled:
                self._filled.wait_for(lambda: self._queue or self.closed)
                if self.closed:
                    return
                chunks = self._queue[0]
            try:
                send_message(self._socket, chunks)
            except OSError:
                self.close()
                return
            with self._filled:
                if self._queue:
                    self._queue.popleft()


def send_message(connection: socket.socket, chunks: Iterable[Chunk]) -> None:
    """Sends the pieces of one message behind their total length, without joining them."""
    views = [memoryview(chunk).cast("B") for chunk in chunks]
    views.insert(0, memoryview(struct.pack("<I", sum(view.nbytes for view in views))))
    while views:
        sent = connection.sendmsg(views)
        while views and sent >= views[0].nbytes:
            sent -= views.pop(0).nbytes
        if sent:
            views[0] = views[0][sent:]


class StreamServer(BoundedServer):
    """All streams of the simulator. Thread-safe; nothing here blocks but the two `wait_` functions."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, StreamHandler)
        self._changed = threading.Condition()
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._rooms: dict[int, int] = {}
        self._expected: list[Expected] = []

    def open(self, stream_id: int, room: int = IMAGE_ROOM) -> None:
        """Makes a stream known. `room`: the messages that may wait for a slow subscriber."""
        with self._changed:
            self._rooms[stream_id] = room
            self._subscribers[stream_id] = []

    def retire(self, stream_id: int) -> None:
        """Forgets a stream: nothing is sent to its subscribers any more.

        Their connections stay open until they leave: a client would at once connect again, and go on so.
        """
        with self._changed:
            self._rooms.pop(stream_id, None)
            self._subscribers.pop(stream_id, None)
            self._expected = [item for item in self._expected if item.stream_id != stream_id]
            self._changed.notify_all()

    def expect(self, stream_id: int, who: object) -> None:
        """Notes that client `who` asked for a stream's token and is about to connect."""
        with self._changed:
            now = time.monotonic()
            self._expected = [item for item in self._expected if item.until > now]
            if stream_id in self._rooms:
                self._expected.append(Expected(stream_id, who, now + SUBSCRIBE_SECONDS))

    def expect_nothing_from(self, who: object) -> None:
        """Forgets what `expect` noted for a client that is gone."""
        with self._changed:
            self._expected = [item for item in self._expected if item.who is not who]
            self._changed.notify_all()

    def wait_for_expected(self) -> None:
        """Waits until the clients that asked for a token have connected, SUBSCRIBE_SECONDS at most.

        Without it the tick that follows `camera.listen()` overtakes the subscription and its image is lost.
        """
        with self._changed:
            while self._expected:
                left = max(item.until for item in self._expected) - time.monotonic()
                if left <= 0.0:
                    self._expected.clear()
                    return
                self._changed.wait(left)

    def wait_for_room(self) -> None:
        """Waits until no subscriber's queue is full; one that stalls for STALL_SECONDS is cut off."""
        deadline = time.monotonic() + STALL_SECONDS
        while stalled := [
            subscriber for subscriber in self._all_subscribers() if subscriber.waiting >= subscriber.room
        ]:
            if time.monotonic() > deadline:
                for subscriber in stalled:
                    subscriber.close()
            time.sleep(0.001)

    def subscribed(self, stream_id: int) -> bool:
        """Whether anybody listens to a stream."""
        return any(not subscriber.closed for subscriber in self._subscribers.get(stream_id, ()))

    def publish(self, stream_id: int, chunks: tuple[Chunk, ...], *, may_drop: bool) -> None:
        """Sends a message to all who listen to a stream.

        A subscriber whose queue is full misses it if `may_drop`, otherwise it is given twice the room and is
        cut off after that.
        """
        with self._changed:
            for subscriber in self._subscribers.get(stream_id, ()):
                if subscriber.waiting < (subscriber.room if may_drop else 2 * subscriber.room):
                    subscriber.push(chunks)
                elif not may_drop:
                    subscriber.close()

    def add(self, stream_id: int, connection: socket.socket) -> Subscriber | None:
        """Subscribes a connection; None if there is no such stream."""
        with self._changed:
            if stream_id not in self._rooms:
                return None
            subscriber = Subscriber(connection, self._rooms[stream_id])
            self._subscribers[stream_id].append(subscriber)
            arrived = next((item for item in self._expected if item.stream_id == stream_id), None)
            if arrived:
                self._expected.remove(arrived)
            self._changed.notify_all()
            return subscriber

    def remove(self, stream_id: int, subscriber: Subscriber) -> None:
        """Ends a subscription."""
        subscriber.close()
        with self._changed:
            listeners = self._subscribers.get(stream_id, [])
            if subscriber in listeners:
                listeners.remove(subscriber)

    def _all_subscribers(self) -> list[Subscriber]:
        with self._changed:
            everyone = [subscriber for group in self._subscribers.values() for subscriber in group]
        return [subscriber for subscriber in everyone if not subscriber.closed]


class StreamHandler(socketserver.BaseRequestHandler):
    """One subscription: reads the stream's id, then waits for the client to leave."""

    server: StreamServer

    def handle(self) -> None:
        """Serves the connection until it ends; whatever the client sends after the id ends it too."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            self.request.settimeout(GREETING_SECONDS)
            greeting = b""
            while len(greeting) < 4 and (data := self.request.recv(4 - len(greeting))):
                greeting += data
            self.request.settimeout(None)
            if len(greeting) == 4:
                self.serve(*struct.unpack("<I", greeting))

    def serve(self, stream_id: int) -> None:
        """Keeps the subscription until the client closes the connection."""
        subscriber = self.server.add(stream_id, self.request)
        try:
            self.request.recv(1)
        finally:
            if subscriber is not None:
                self.server.remove(stream_id, subscriber)
