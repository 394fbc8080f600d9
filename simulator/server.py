"""The simulator server: one world, the two ports through which clients reach it, and its tick loop."""

from __future__ import annotations

import gc
import logging
import threading
import time

# importing these modules registers their calls
from simulator.calls import actor_calls, batch_calls, map_calls, session_calls, traffic_light_calls  # noqa: F401
from simulator.calls.dispatch import Service, dispatch
from simulator.drawing.renderer import Camera, Renderer
from simulator.geometry import Transform
from simulator.protocol.encodings import SENSOR_TYPES
from simulator.protocol.rpc import RpcServer
from simulator.protocol.streams import StreamServer
from simulator.world.town import RendererFactory, build_town
from simulator.world.world import ASYNCHRONOUS_PERIOD, World

MIN_PAUSE = 0.01  # seconds between two ticks in which clients can take the world's lock

log = logging.getLogger(__name__)


class SimulatorServer:
    """Serves one world to any number of clients, from `start()` to `stop()`."""

    def __init__(
        self,
        map_name: str,
        seed: int,
        port: int = 2000,
        stream_port: int | None = None,
        host: str = "127.0.0.1",
        make_renderer: RendererFactory = Renderer,
    ) -> None:
        """Build the town and bind the ports; raise OSError if a port is in use, KeyError for an unknown map.

        Port 0 picks a free port; the stream port defaults to the one after `port`.
        """
        if stream_port is None:
            stream_port = port + 1 if port else 0
        self.streams = StreamServer((host, stream_port))
        try:
            self._rpc = RpcServer((host, port), self._dispatch, self._disconnected)
        except OSError:
            self.streams.server_close()
            raise
        # A town keeps about 100,000 small arrays; collecting garbage among them takes a tenth of the start-up time.
        gc.disable()
        town = build_town(map_name, seed, make_renderer)
        gc.freeze()
        gc.enable()
        self.world = World(town, self.streams, seed)
        # the first rendering compiles or loads the renderer's machine code; do it before a client has to wait for it
        self.world.render([Camera(kind, Transform(z=1.5), 64, 48, 90.0) for kind in SENSOR_TYPES])
        self._service = Service(self.world, self.streams, make_renderer, {map_name: town})
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._rpc.port

    def start(self) -> None:
        """Start to accept clients and to tick."""
        self.streams.start("streams")
        self._rpc.start("calls")
        threading.Thread(target=self._tick_loop, name="ticks", daemon=True).start()

    def stop(self) -> None:
        """Stop accepting clients and ticking; open connections end with the process."""
        self._stopping.set()
        for server in (self._rpc, self.streams):
            server.shutdown()
            server.server_close()

    def _dispatch(self, connection: object, method: str, arguments: list) -> object:
        return dispatch(self._service, connection, method, arguments)

    def _disconnected(self, connection: object) -> None:
        self._service.drop_client(connection)

    def _tick_loop(self) -> None:
        """Tick at a steady pace while the world is in asynchronous mode; in synchronous mode a client ticks."""
        while not self._stopping.is_set():
            started = time.monotonic()
            settings = self.world.settings
            if not settings.synchronous:
                self._tick()
            period = settings.fixed_delta or ASYNCHRONOUS_PERIOD
            self._stopping.wait(max(MIN_PAUSE, period - (time.monotonic() - started)))

    def _tick(self) -> None:
        with self.world.lock:
            if self.world.settings.synchronous or time.monotonic() < self.world.ticks_paused_until:
                return
            try:
                self.world.tick()
            except Exception:
                log.exception("A tick failed.")
