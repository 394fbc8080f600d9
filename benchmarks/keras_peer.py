"""FC-DenseNet by Keras's own `fit`, answering the orders of `benchmarks.dense_block`: train, forward, gflop, product.

python -m benchmarks.keras_peer SETTINGS    (JSON: variant, size, batch, path, recompute, precision)
"""

import json
import sys
import time
from typing import Any

from benchmarks.networks import forward_gflop
from benchmarks.peer import serve, timed
from segmentation.backend import load_keras

CLASSES = 13
PRODUCT = 3000  # rows and columns of the matrices whose product gives the machine's rate


def main() -> None:
    """Build the network, answer."""
    settings = json.loads(sys.argv[1])
    load_keras()
    import keras
    import numpy as np
    import tensorflow as tf

    from segmentation.networks.dense_block import DenseBlock
    from segmentation.networks.fc_densenet import fc_densenet
    from segmentation.optimizer import AdamW

    DenseBlock.path, DenseBlock.recompute = settings["path"], settings["recompute"]
    keras.config.set_dtype_policy(settings["precision"])
    network = fc_densenet(CLASSES, variant=settings["variant"])
    network.compile(
        keras.optimizers.AdamW(1e-3) if settings["path"] == "portable" else AdamW(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    network.optimizer.build(network.trainable_variables)
    random, shape = np.random.default_rng(0), (settings["batch"], settings["size"], settings["size"])
    pictures = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
    classes = random.integers(0, CLASSES, shape).astype(np.uint8)
    data = same_batch(pictures, classes)
    forward = tf.function(lambda: network(pictures, training=False))

    def train(count: int) -> list[float]:
        clock = stopwatch()
        data.steps = count
        network.fit(data, verbose=0, shuffle=False, callbacks=[clock])
        return clock.seconds

    def product(count: int) -> list[float]:
        one, two = (tf.cast(random.normal(size=(PRODUCT, PRODUCT)), tf.bfloat16) for _ in range(2))
        return [2 * PRODUCT**3 / 1e9 / seconds for seconds in timed(lambda: tf.matmul(one, two).numpy(), count)]

    serve(
        {
            "train": train,
            "forward": lambda count: timed(lambda: forward().numpy(), count),
            "gflop": lambda _: [forward_gflop(network, *shape[1:]) * settings["batch"]],
            "product": product,
        }
    )


def same_batch(*arrays: Any) -> Any:
    """A dataset that gives the same batch `steps` times."""
    import keras

    class SameBatch(keras.utils.PyDataset):
        steps = 1

        def __len__(self) -> int:
            return self.steps

        def __getitem__(self, index: int) -> tuple:
            return arrays

    return SameBatch()


def stopwatch() -> Any:
    """A callback that times every training step."""
    import keras

    class Stopwatch(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict | None = None) -> None:
            self.seconds: list[float] = []

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            float(logs["loss"]) if logs else None  # the step is done when its loss is known
            self.seconds.append(time.perf_counter() - self.start)

    return Stopwatch()


if __name__ == "__main__":
    main()
