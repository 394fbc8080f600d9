"""Shared by the processes that `benchmarks.dense_block` measures against each other: serve requests, sleep otherwise.

A request is a line "NAME COUNT" on standard input, the response a line of JSON on standard output. Standard library
only, because a peer may run in another environment.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

KERAS_PEERS: dict[str, dict[str, Any]] = {
    "fast, bfloat16": {"implementation": "auto", "precision": "mixed_bfloat16"},
    "fast, bfloat16, recompute": {"implementation": "auto", "precision": "mixed_bfloat16", "recompute": True},
    "fast, float32": {"implementation": "auto", "precision": "float32"},
    "plain Keras, bfloat16": {"implementation": "portable", "precision": "mixed_bfloat16"},
    "plain Keras, float32": {"implementation": "portable", "precision": "float32"},
}
TORCH_PEERS: dict[str, dict[str, Any]] = {
    "PyTorch, bfloat16": {"checkpoint": False},
    "PyTorch, bfloat16, checkpoints": {"checkpoint": True},
}


def serve(handlers: Mapping[str, Callable[[int], list[float]]]) -> None:
    """Answer each request with its handler's numbers and the peak memory so far, until standard input ends."""
    for line in sys.stdin:
        name, count = line.split()
        numbers = handlers[name](int(count))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"numbers": numbers, "peak_gib": peak}), flush=True)


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Return the seconds that each of `count` calls takes."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds
