"""Start the embedded town.

    python -m simulator
    python -m simulator --map Millbrook --seed 7 --port 3000

Clients of the `carla` 0.9.16 package connect to that port as they do to CARLA itself. Ctrl-C stops it.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading

try:
    from simulator.server import SimulatorServer
    from simulator.world.town import map_names
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed; pip install -r requirements.txt")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description="A small town that speaks CARLA's wire protocol (0.9.16)."
    )
    parser.add_argument("--port", type=int, default=2000, help="port for clients; 0 picks a free one (default 2000)")
    parser.add_argument("--stream-port", type=int, help="port for sensor data (default: the one after --port)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    parser.add_argument("--map", default=map_names()[0], choices=map_names(), help="town to load at the start")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds build equal towns (default 1)")
    parser.add_argument("--verbose", action="store_true", help="log refused calls")
    arguments = parser.parse_args()
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}; use 0 or more")
    return arguments


def main() -> int:
    """Serve until Ctrl-C, SIGTERM or SIGHUP; return the exit status."""
    arguments = parse_arguments()
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(message)s")
    print(f"Building {arguments.map}; the first start also compiles the renderer (half a minute).", file=sys.stderr)
    try:
        server = SimulatorServer(arguments.map, arguments.seed, arguments.port, arguments.stream_port, arguments.host)
    except OSError as error:
        print(f"{error}; try another --port, --stream-port or --host.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    server.start()
    stop = threading.Event()
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored after `nohup`
        signals.append(signal.SIGHUP)
    for number in signals:
        signal.signal(number, lambda *_: stop.set())
    print(f"{arguments.map} listens on {arguments.host}:{server.port}; press Ctrl-C to stop.", flush=True)
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
