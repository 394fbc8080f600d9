"""The embedded town with a stub in place of its renderer: every image has one colour and costs nothing.

    python -m tests.harness.stub_town --images checksum --slow 0.3 --label 77

The colour of an rgb image is a number: with `--images tick`, the default, the number of the tick, and with
`--images checksum` a checksum of everything that the renderer was given, so that any difference shows in it.
The label of all pixels is the tick modulo 29 or, with checksums, 1 (Roads), unless --label names another.
All depths are 10 metres. `--answer version '[[1, "x"]]'` makes it answer a call wrongly, and --short-images makes its
images smaller than their headers say.
"""

import argparse
import json
import threading
import time
import zlib

import numpy as np

from simulator.server import SimulatorServer

DISTANCE = 10.0  # metres, everywhere in a depth image
LABEL = 1  # Roads
LABEL_COUNT = 29


class StubRenderer:
    """Stand in for the renderer."""

    def __init__(self, images: str, slow: float, label: int | None, short: bool) -> None:
        self.images, self.slow, self.label, self.short, self.ticks = images, slow, label, short, 0

    def render(self, cameras, bodies, weather, light_states, time_):
        time.sleep(self.slow)
        self.ticks += 1
        if self.images == "tick":
            number, label = self.ticks, self.ticks % LABEL_COUNT
        else:
            number = zlib.crc32(repr((cameras, bodies, weather, sorted(light_states.items()), time_)).encode())
            label = LABEL
        return [self.image(camera, number, label if self.label is None else self.label) for camera in cameras]

    def image(self, camera, number, label):
        if camera.kind == "rgb":
            pixel = [*number.to_bytes(4, "little")]
        elif camera.kind == "depth":
            pixel = [*round(DISTANCE / 1000.0 * (256**3 - 1)).to_bytes(3, "big"), 255]
        else:
            pixel = [0, 0, label, 255]
        height = camera.height - 1 if self.short else camera.height
        return np.broadcast_to(np.array(pixel, np.uint8), (height, camera.width, 4)).copy()


class StubServer(SimulatorServer):
    """The server, with a wrong answer to one call."""

    wrong_method, wrong_answer = "", None

    def _dispatch(self, connection, method, arguments):
        if method == self.wrong_method:
            return self.wrong_answer
        return super()._dispatch(connection, method, arguments)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", choices=("checksum", "tick"), default="tick", help="what rgb images show")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that the images of a tick take")
    parser.add_argument("--label", type=int, help="label of all pixels")
    parser.add_argument("--short-images", action="store_true", help="leave out the last row of every image")
    parser.add_argument("--answer", nargs=2, default=("", "null"), help="a call, and its answer as JSON")
    arguments = parser.parse_args()

    def make_renderer(network, seed):
        return StubRenderer(arguments.images, arguments.slow, arguments.label, arguments.short_images)

    server = StubServer("Eastfield", 1, port=0, make_renderer=make_renderer)
    server.wrong_method, server.wrong_answer = arguments.answer[0], json.loads(arguments.answer[1])
    server.start()
    print(f"The stub town listens on 127.0.0.1:{server.port}; streams on {server.streams.port}.", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
