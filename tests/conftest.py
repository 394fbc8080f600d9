"""A small dataset folder whose pictures can be learnt, and a way to run the scripts as a person does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segmentation.images import write_png

ROOT = Path(__file__).parent.parent
LABELS = """id,name,red,green,blue,class
0,Nothing,0,0,0,
1,Road,128,64,128,Road
2,Sky,70,130,180,Sky
3,Car,0,0,142,Vehicle
4,Truck,0,0,70,Vehicle
"""
COLOURS = np.array([[0, 0, 0], [128, 64, 128], [70, 130, 180], [0, 0, 142], [0, 0, 70]], np.uint8)


def street(number: int, height: int = 32, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Picture and ids of a toy street: sky over road, a vehicle, a strip of void."""
    random = np.random.default_rng(number)
    ids = np.full((height, width), 1, np.uint8)
    ids[: height // 2] = 2
    top, left = random.integers(height // 3, height // 2), random.integers(0, width - 16)
    ids[top : top + 10, left : left + 14] = 3 + number % 2
    ids[-2:] = 0
    noise = random.integers(-20, 20, (height, width, 3))
    return np.clip(COLOURS[ids].astype(int) + noise + 20, 0, 255).astype(np.uint8), ids


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset folder of toy streets, four pictures a run."""

    def make(name: str = "dataset", count: int = 8, height: int = 32, width: int = 48) -> Path:
        folder = tmp_path / name
        rows = ["name,run"]
        for number in range(count):
            picture, ids = street(number, height, width)
            write_png(folder / "rgb" / f"rgb_{number:08d}.png", picture)
            write_png(folder / "seg_raw" / f"seg_raw_{number:08d}.png", ids)
            rows.append(f"{number:08d},run{number // 4}")
        (folder / "labels.csv").write_text(LABELS)
        (folder / "frames.csv").write_text("\n".join(rows))
        return folder

    return make


TINY = ("--groups", "1", "--layers-per-block", "1", "--growth-rate", "4", "--size", "48", "32", "--batch-size", "2")
TINY += ("--precision", "float32")  # alike on all machines


def start_script(script: str, *arguments: object, **environment: str) -> subprocess.Popen:
    """Start a numbered script; standard error is read with standard output."""
    return subprocess.Popen(
        [sys.executable, ROOT / script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def run_script(script: str, *arguments: object, **environment: str) -> tuple[int, str]:
    """Exit status and output of a numbered script."""
    process = start_script(script, *arguments, **environment)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output
