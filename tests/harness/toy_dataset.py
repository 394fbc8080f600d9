"""A small dataset of drawn streets that a small network can learn."""

from pathlib import Path

import numpy as np

from segmentation.files.images import write_png

LABELS = """id,name,red,green,blue,class
0,Nothing,0,0,0,
1,Road,128,64,128,Road
2,Sky,70,130,180,Sky
3,Car,0,0,142,Vehicle
4,Truck,0,0,70,Vehicle
"""
COLOURS = np.array([[0, 0, 0], [128, 64, 128], [70, 130, 180], [0, 0, 142], [0, 0, 70]], np.uint8)


def street(number: int, height: int = 32, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Draw a street: sky over road, a vehicle, a strip of void. Return the image and the ids of its pixels."""
    rng = np.random.default_rng(number)
    ids = np.full((height, width), 1, np.uint8)
    ids[: height // 2] = 2
    top, left = rng.integers(height // 3, height // 2), rng.integers(0, width - 16)
    ids[top : top + 10, left : left + 14] = 3 + number % 2
    ids[-2:] = 0
    noise = rng.integers(-20, 20, (height, width, 3))
    return np.clip(COLOURS[ids].astype(int) + noise + 20, 0, 255).astype(np.uint8), ids


def write_dataset(folder: Path, count: int = 8, height: int = 32, width: int = 48, first: int = 0) -> Path:
    """Write a dataset folder of drawn streets, four images per run; other numbers, from `first`, are other streets."""
    rows = ["name,run"]
    for number in range(first, first + count):
        image, ids = street(number, height, width)
        write_png(folder / "rgb" / f"rgb_{number:08d}.png", image)
        write_png(folder / "seg_raw" / f"seg_raw_{number:08d}.png", ids)
        rows.append(f"{number:08d},run{number // 4}")
    (folder / "labels.csv").write_text(LABELS)
    (folder / "frames.csv").write_text("\n".join(rows))
    return folder
