"""How fast pictures are read, resized, augmented and batched, against how fast a training step consumes them.

python -m benchmarks.data_feed --dataset dataset
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from segmentation.backend import best_precision, load_keras
from segmentation.dataset.folder import open_dataset
from segmentation.flags import run

DATASET = Path("dataset")  # a dataset folder
SIZE = (240, 160)  # width and height, pixels
BATCH_SIZE = 2  # pictures a step
THREADS = 2  # as in 02
STEPS = 6  # training steps timed; feed and steps take turns


def main(settings: Any) -> None:
    """Time the feed and the step in turn, print medians and their ratio."""
    load_keras()
    import keras
    import numpy as np

    from segmentation.dataset.batches import Batches
    from segmentation.networks.fc_densenet import fc_densenet
    from segmentation.recipes import choose_recipe
    from segmentation.training import compile_network

    dataset = open_dataset(settings.dataset)
    width, height = settings.size
    batches = Batches(
        dataset.samples,
        dataset.read_labels(),
        height=height,
        width=width,
        batch_size=settings.batch_size,
        training=True,
        augmented=True,
        class_weights=np.ones(256, np.float32),
    )
    keras.config.set_dtype_policy(best_precision())
    recipe = choose_recipe("fc_densenet", "light")
    network = fc_densenet(len(batches.labels.classes), dropout=recipe.dropout)
    compile_network(network, recipe, steps_per_epoch=100, epochs=1)
    batch = batches[0]
    network.train_on_batch(*batch)

    feed_rates, step_rates = [], []
    with ThreadPoolExecutor(settings.threads) as pool:
        for _ in range(settings.steps):
            start = time.perf_counter()
            count = sum(len(fed[0]) for fed in pool.map(batches.__getitem__, range(min(len(batches), 25))))
            feed_rates.append(count / (time.perf_counter() - start))
            start = time.perf_counter()
            network.train_on_batch(*batch)
            step_rates.append(settings.batch_size / (time.perf_counter() - start))
    feed, step = np.median(feed_rates), np.median(step_rates)
    print(f"Python {sys.version.split()[0]}, Keras {keras.__version__} on {keras.backend.backend()}, {width}x{height}")
    print(f"feed {feed:.0f} pictures/s, training step {step:.2f} pictures/s: {feed / step:.0f} times")


if __name__ == "__main__":
    run(main)
