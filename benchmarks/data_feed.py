"""Compare the rate of loading, resizing, augmenting and batching images with the rate of the training step.

python -m benchmarks.data_feed --dataset dataset
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.networks import compiled_network
from segmentation.backend import best_precision, load_keras
from segmentation.dataset.samples import open_dataset
from segmentation.flags import run
from segmentation.types import Size

DATASET = Path("dataset")  # dataset folder
SIZE: Size = (240, 160)  # width and height of the images, pixels
BATCH_SIZE = 2  # images per step
THREADS = 2  # threads that load images; READERS of 02_fc_densenet.py
ROUNDS = 6  # measurements of each; loading and training steps take turns
BATCHES = 25  # batches loaded per measurement, at most one epoch


def main() -> None:
    """Measure loading and the training step alternately; print their medians and ratio."""
    load_keras()
    import keras

    from segmentation.dataset.data_loader import DataLoader

    keras.config.set_dtype_policy(best_precision())
    dataset = open_dataset(DATASET)
    label_table = dataset.read_label_table()
    loader = DataLoader(
        dataset.samples,
        label_table,
        size=SIZE,
        batch_size=BATCH_SIZE,
        training=True,
        augment=True,
        class_weights=np.ones(256, np.float32),  # as in training, batches contain weights; their values do not matter
    )
    network = compiled_network("fc_densenet", len(label_table.class_names))
    batch = loader[0]
    network.train_on_batch(*batch)  # not timed: the first call traces the step

    feed_rates, step_rates = [], []
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            batches = pool.map(loader.__getitem__, range(min(len(loader), BATCHES)))
            count = sum(len(images) for images, *_ in batches)
            feed_rates.append(count / (time.perf_counter() - start))
            start = time.perf_counter()
            network.train_on_batch(*batch)
            step_rates.append(BATCH_SIZE / (time.perf_counter() - start))
    feed, step = np.median(feed_rates), np.median(step_rates)
    versions = f"Python {sys.version.split()[0]}, Keras {keras.__version__} on {keras.backend.backend()}"
    print(f"{versions}, {SIZE[0]}x{SIZE[1]}")
    print(f"loading {feed:.0f} images/s, training step {step:.2f} images/s, ratio {feed / step:.0f}")


if __name__ == "__main__":
    run(main)
