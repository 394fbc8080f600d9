"""A simulator for tests: the real server on the real roads, with pictures that cost nothing.

    python tests/simulator/serve.py --slow 0

The rgb picture is a checksum of all that the renderer was given, so that whatever differs shows in it.
"""

import argparse
import signal
import threading
import time
import zlib

import numpy as np

from simulator.server import SimulatorServer

DISTANCE = 10.0  # metres, everywhere in a depth picture
LABEL = 1  # Roads, everywhere in a label picture


class Checksums:
    """Stands in for the renderer."""

    def __init__(self, slow):
        self.slow = slow

    def render(self, cameras, bodies, weather, light_states, time_):
        time.sleep(self.slow)
        checksum = zlib.crc32(repr((cameras, bodies, weather, sorted(light_states.items()), time_)).encode())
        return [self.picture(camera, checksum) for camera in cameras]

    def picture(self, camera, checksum):
        if camera.kind == "rgb":
            pixel = list(checksum.to_bytes(4, "little"))
        elif camera.kind == "depth":
            pixel = [*round(DISTANCE / 1000.0 * (256**3 - 1)).to_bytes(3, "big"), 255]
        else:
            pixel = [0, 0, LABEL, 255]
        return np.broadcast_to(np.array(pixel, np.uint8), (camera.height, camera.width, 4)).copy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that a picture takes")
    arguments = parser.parse_args()
    server = SimulatorServer("Eastfield", 1, port=0, make_renderer=lambda network, seed: Checksums(arguments.slow))
    server.start()
    print(server.port, server.streams.port, flush=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
