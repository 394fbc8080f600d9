"""The simulator as a whole: a world, the two ports through which clients reach it, and its pace."""

from __future__ import annotations

import gc
import logging
import threading
import time

from simulator.calls import batch  # noqa: F401  (they add their calls)
from simulator.calls.dispatch import Service, dispatch
from simulator.drawing.renderer import Camera, Renderer
from simulator.geometry import Transform
from simulator.protocol.encodings import SENSOR_TYPES
from simulator.protocol.rpc import RpcServer
from simulator.protocol.streams import StreamServer
from simulator.world.episode import ASYNCHRONOUS_PERIOD, World
from simulator.world.town import MakeRenderer, build_town

SHORTEST_PAUSE = 0.01  # seconds for which the world is left to the clients between two ticks

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
        make_renderer: MakeRenderer = Renderer,
    ) -> None:
        """Builds the town and takes the ports; raises OSError if one is in use, KeyError for an unknown map.

        Port 0 stands for any free port; the stream port is by default the one after `port`.
        """
        if stream_port is None:
            stream_port = port + 1 if port else 0
        self.streams = StreamServer((host, stream_port))
        try:
            self._rpc = RpcServer((host, port), self._dispatch, self._forget)
        except OSError:
            self.streams.server_close()
            raise
        # A town is a hundred thousand small arrays that stay: looking for garbage among them takes a tenth of a start.
        gc.disable()
        town = build_town(map_name, seed, make_renderer)
        gc.freeze()
        gc.enable()
        self.world = World(town, self.streams, seed)
        # the first picture compiles, or loads, what draws it: no client shall wait for that
        self.world.draw([Camera(kind, Transform(z=1.5), 64, 48, 90.0) for kind in SENSOR_TYPES])
        self._service = Service(self.world, self.streams, make_renderer, {map_name: town})
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._rpc.port

    def start(self) -> None:
        """Begins to accept clients and to tick."""
        self.streams.start("streams")
        self._rpc.start("calls")
        threading.Thread(target=self._keep_pace, name="pace", daemon=True).start()

    def stop(self) -> None:
        """Stops accepting clients and ticking; connections end with the process."""
        self._stopping.set()
        for server in (self._rpc, self.streams):
            server.shutdown()
            server.server_close()

    def _dispatch(self, connection: object, method: str, arguments: list) -> object:
        return dispatch(self._service, connection, method, arguments)

    def _forget(self, connection: object) -> None:
        self._service.forget(connection)

    def _keep_pace(self) -> None:
        """Ticks by itself as long as no client has taken that over (asynchronous mode)."""
        while not self._stopping.is_set():
            begun = time.monotonic()
            settings = self.world.settings
            if not settings.synchronous:
                self._tick()
            period = settings.fixed_delta or ASYNCHRONOUS_PERIOD
            self._stopping.wait(max(SHORTEST_PAUSE, period - (time.monotonic() - begun)))

    def _tick(self) -> None:
        with self.world.lock:
            if self.world.settings.synchronous or time.monotonic() < self.world.quiet_until:
                return
            try:
                self.world.step()
            except Exception:
                log.exception("A tick failed.")
