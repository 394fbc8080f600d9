"""The embedded town with pictures that cost nothing: every image of a tick shows the tick's number.

    python tests/recording/serve.py --slow 0 --label 1

The number is in the colours of the rgb picture, and its remainder by 29 is the label of all pixels, unless
--label names one. It says on which port it listens in the words of `python -m simulator`.
"""

import argparse
import threading
import time

import numpy as np

from simulator.server import SimulatorServer


class Numbers:
    """Stands in for the renderer."""

    def __init__(self, slow, label):
        self.slow, self.label, self.ticks = slow, label, 0

    def render(self, cameras, bodies, weather, light_states, time_):
        time.sleep(self.slow)
        self.ticks += 1
        return [self.picture(camera) for camera in cameras]

    def picture(self, camera):
        number = self.ticks
        pixel = [number % 256, number // 256 % 256, number // 65536, 255]
        if camera.kind in ("semantic_segmentation", "instance_segmentation"):
            pixel = [0, 0, number % 29 if self.label is None else self.label, 255]
        return np.broadcast_to(np.array(pixel, np.uint8), (camera.height, camera.width, 4)).copy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that a tick's pictures take")
    parser.add_argument("--label", type=int, help="of all pixels")
    arguments = parser.parse_args()
    server = SimulatorServer(
        "Eastfield", 1, port=0, make_renderer=lambda network, seed: Numbers(arguments.slow, arguments.label)
    )
    server.start()
    print(f"listens on 127.0.0.1:{server.port};", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
