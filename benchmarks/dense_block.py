"""FC-DenseNet's training step and forward pass: the fast dense block, plain Keras layers, and PyTorch.

    python -m benchmarks.dense_block --torch-python PATH/TO/python     (with torch; without it, PyTorch is left out)
    python -m benchmarks.dense_block --variant 103 --size 224 --batches 3 --steps 2

Every peer is a process of its own; they take turns while the others sleep, so that what else the machine does hits
all alike. The ratio is to PyTorch's time, below 1 is faster; GFLOP/s count three forward passes a step.
"""

import dataclasses
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.peer import KERAS_PEERS, TORCH_PEERS
from segmentation.backend import load_keras
from segmentation.flags import run

VARIANT: Literal["light", "56", "67", "103"] = "light"  # of FC-DenseNet
SIZE = 160  # pixels, width and height
BATCHES: tuple[int, ...] = (1, 4, 8)  # pictures a step
ROUNDS = 4  # turns of every peer
STEPS = 4  # in a row, each turn
PEERS: tuple[str, ...] = ("fast", "plain Keras", "PyTorch")  # how the names of those to measure begin
TORCH_PYTHON = Path(sys.executable)  # the interpreter that has torch


class Peer:
    """A process that trains the network in its own way."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.seconds: dict[str, list[float]] = {"train": [], "forward": []}
        (self.first_step,) = self.ask("train", 1)
        self.ask("forward", 1)
        self.ask("train", 2)

    def ask(self, order: str, count: int) -> list[float]:
        """Give an order and wait for its numbers."""
        print(order, count, file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        self.peak = answer["peak_gib"]
        return answer["numbers"]

    def take_turn(self, steps: int) -> None:
        """Measure."""
        for order, seconds in self.seconds.items():
            seconds += self.ask(order, steps)

    def median(self, order: str) -> float:
        """Seconds."""
        return median(self.seconds[order])


def main(settings: Any) -> None:
    """Measure batch by batch, print a table for each."""
    packages = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras"))
    print(f"{processor()}, {packages}")
    for batch in settings.batches:
        peers = start_peers(settings, batch)
        first = next(iter(peers.values()))
        (gflop,), rate = first.ask("gflop", 1), median(first.ask("product", 8)[2:])
        print(f"bfloat16 matrix product: {rate:.0f} GFLOP/s; network forward: {gflop:.1f} GFLOP a batch")
        for _ in range(settings.rounds):
            for peer in peers.values():
                peer.take_turn(settings.steps)
        print_table(settings, batch, peers, gflop, rate)
        for peer in peers.values():
            peer.process.kill()


def start_peers(settings: Any, batch: int) -> dict[str, Peer]:
    """The wanted peers by name, started one after the other; PyTorch's only where there is torch."""
    common = {"size": settings.size, "batch": batch, "recompute": False, "variant": settings.variant}
    commands = {
        name: [sys.executable, "-m", "benchmarks.keras_peer", json.dumps({**common, **own})]
        for name, own in KERAS_PEERS.items()
    }
    torch = str(settings.torch_python)
    if subprocess.run([torch, "-c", "import torch"], capture_output=True).returncode:
        print(f"{torch} has no torch: PyTorch is left out")
    else:
        for name, own in TORCH_PEERS.items():
            shape = {"network": torch_shape(settings.variant)}
            commands[name] = [torch, "benchmarks/torch_peer.py", json.dumps({**common, **shape, **own})]
    return {name: Peer(command) for name, command in commands.items() if name.startswith(settings.peers)}


def torch_shape(variant: str) -> dict[str, Any]:
    """The variant's fields."""
    load_keras()
    from segmentation.networks.fc_densenet import VARIANTS

    return dataclasses.asdict(VARIANTS[variant])


def print_table(settings: Any, batch: int, peers: dict[str, Peer], gflop: float, rate: float) -> None:
    """Medians, ratios and rates of every peer."""
    reference = peers.get("PyTorch, bfloat16", next(iter(peers.values())))
    columns = ("step, ms", "ratio", "GFLOP/s", "of product", "forward, ms", "ratio", "first step, s", "peak, GiB")
    table = Table("", *columns, title=f"{settings.variant}, {settings.size}x{settings.size}, batch {batch}")
    for name, peer in peers.items():
        step, forward = peer.median("train"), peer.median("forward")
        table.add_row(
            name,
            f"{1000 * step:.0f}",
            f"{step / reference.median('train'):.2f}",
            f"{3 * gflop / step:.0f}",
            f"{3 * gflop / step / rate:.0%}",
            f"{1000 * forward:.0f}",
            f"{forward / reference.median('forward'):.2f}",
            f"{peer.first_step:.1f}",
            f"{peer.peak:.2f}",
        )
    Console(width=120).print(table)


def processor() -> str:
    """What the system calls this machine's processor, and its cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    amx = ", AMX" if any("amx_bf16" in line for line in lines) else ""
    return f"{names[0] if names else platform.processor()}{amx}, {len(names) or '?'} cores"


if __name__ == "__main__":
    run(main)
