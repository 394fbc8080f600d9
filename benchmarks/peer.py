"""What the processes that are measured against each other have in common: they answer orders, and else sleep.

An order is a line "NAME COUNT" on standard input, the answer a line of JSON on standard output. Standard library
only, because a peer may run in another environment.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping

KERAS_PEERS = {
    "fast, bfloat16": {"path": "auto", "precision": "mixed_bfloat16"},
    "fast, bfloat16, recompute": {"path": "auto", "precision": "mixed_bfloat16", "recompute": True},
    "fast, float32": {"path": "auto", "precision": "float32"},
    "plain Keras, bfloat16": {"path": "portable", "precision": "mixed_bfloat16"},
    "plain Keras, float32": {"path": "portable", "precision": "float32"},
}
TORCH_PEERS = {
    "PyTorch, bfloat16": {"checkpoint": False},
    "PyTorch, bfloat16, checkpoints": {"checkpoint": True},
}


def serve(orders: Mapping[str, Callable[[int], list[float]]]) -> None:
    """Answer orders with the numbers that they give and the peak memory so far, until standard input ends."""
    for line in sys.stdin:
        name, count = line.split()
        numbers = orders[name](int(count))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"numbers": numbers, "peak_gib": peak}), flush=True)


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of `count` calls."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds
