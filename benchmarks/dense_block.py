"""Measure FC-DenseNet's training step and forward pass: fast dense block, plain Keras layers, PyTorch.

    python -m benchmarks.dense_block --torch-python PATH/TO/python     (without PyTorch there, its rows are left out)
    python -m benchmarks.dense_block --variant 103 --size 224 --batch-sizes 3 --steps 2

Every peer is a separate process. One measures while the others sleep, and they take turns, so that other load on the
machine affects all of them alike. Ratios are to PyTorch's time: below 1 is faster. GFLOP/s count three forward passes
per step.
"""

import dataclasses
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.peer import KERAS_PEERS, TORCH_PEERS
from segmentation.backend import load_keras
from segmentation.flags import run

VARIANT: Literal["light", "56", "67", "103"] = "light"  # variant of FC-DenseNet
SIZE = 160  # width and height of the images, pixels
BATCH_SIZES: tuple[int, ...] = (1, 4, 8)  # images per step; each is measured separately
ROUNDS = 4  # rounds in which the peers take turns
STEPS = 4  # steps in a row that a peer measures per round
PEERS: tuple[str, ...] = ("fast", "plain Keras", "PyTorch")  # prefixes of the names of the peers to measure
TORCH_PYTHON = Path(sys.executable)  # Python interpreter that has PyTorch


class Peer:
    """A process that trains the network with one implementation and answers requests for measurements."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.seconds: dict[str, list[float]] = {"train": [], "forward": []}
        self.peak = 0.0  # GiB
        (self.first_step,) = self.request("train", 1)
        self.request("forward", 1)
        self.request("train", 2)

    def request(self, name: str, count: int) -> list[float]:
        """Send a request and return the numbers of the response."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(name, count, file=self.process.stdin, flush=True)
        response = json.loads(self.process.stdout.readline())
        self.peak = response["peak_gib"]
        return response["numbers"]

    def measure(self, steps: int) -> None:
        """Time `steps` training steps and as many forward passes."""
        for name, seconds in self.seconds.items():
            seconds += self.request(name, steps)

    def median(self, name: str) -> float:
        """Return the median seconds of "train" or "forward"."""
        return median(self.seconds[name])


def main() -> None:
    """Measure one batch size after the other and print a table for each."""
    packages = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras"))
    print(f"{processor()}, {packages}")
    for batch_size in BATCH_SIZES:
        peers = {name: Peer(command) for name, command in peer_commands(batch_size).items() if name.startswith(PEERS)}
        first = next(iter(peers.values()))
        (gflop,), rate = first.request("gflop", 1), median(first.request("product", 8)[2:])
        print(f"bfloat16 matrix product: {rate:.0f} GFLOP/s; forward pass: {gflop:.1f} GFLOP per batch")
        for _ in range(ROUNDS):
            for peer in peers.values():
                peer.measure(STEPS)
        print_table(f"{VARIANT}, {SIZE}x{SIZE}, batch {batch_size}", peers, gflop, rate)
        for peer in peers.values():
            peer.process.kill()


def peer_commands(batch_size: int) -> dict[str, list[str]]:
    """Return the command line of every peer by name, without the PyTorch peers if TORCH_PYTHON has no PyTorch."""
    common = {"size": SIZE, "batch_size": batch_size}
    commands = {
        name: [sys.executable, "-m", "benchmarks.keras_peer", json.dumps({**common, "variant": VARIANT, **options})]
        for name, options in KERAS_PEERS.items()
    }
    torch = str(TORCH_PYTHON)
    if subprocess.run([torch, "-c", "import torch"], capture_output=True).returncode:
        print(f"{torch} has no PyTorch: its rows are left out")
        return commands
    load_keras()
    from segmentation.networks.fc_densenet import CONFIGS

    config = dataclasses.asdict(CONFIGS[VARIANT])
    for name, options in TORCH_PEERS.items():
        commands[name] = [torch, "benchmarks/torch_peer.py", json.dumps({**common, "config": config, **options})]
    return commands


def print_table(title: str, peers: dict[str, Peer], gflop: float, rate: float) -> None:
    """Print the medians, ratios and rates of every peer.

    `gflop` is the arithmetic of a batch's forward pass, `rate` the machine's GFLOP/s in a matrix product.
    """
    reference = peers.get("PyTorch, bfloat16", next(iter(peers.values())))
    columns = ("step, ms", "ratio", "GFLOP/s", "of product", "forward, ms", "ratio", "first step, s", "peak, GiB")
    table = Table("", *columns, title=title)
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
    """Return the name of this machine's processor and its number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    amx = ", AMX" if any("amx_bf16" in line for line in lines) else ""
    return f"{names[0] if names else platform.processor()}{amx}, {len(names) or '?'} cores"


if __name__ == "__main__":
    run(main)
