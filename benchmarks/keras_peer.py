"""Train FC-DenseNet by Keras's own `fit`, at the request of `benchmarks.dense_block`.

python -m benchmarks.keras_peer SETTINGS    (JSON: variant, size, batch_size, implementation, precision, recompute)

Requests: train, forward, gflop, product.
"""

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.networks import forward_gflop
from benchmarks.peer import serve, timed
from segmentation.backend import load_keras

if TYPE_CHECKING:
    from segmentation.networks.dense_block import Implementation

NUM_CLASSES = 13
PRODUCT = 3000  # rows and columns of the matrices whose product measures the machine's rate


def main() -> None:
    """Build the network and serve requests."""
    settings = json.loads(sys.argv[1])
    load_keras()
    import tensorflow as tf

    size, batch_size = settings.pop("size"), settings.pop("batch_size")
    network = compiled_network(**settings)
    rng, shape = np.random.default_rng(0), (batch_size, size, size)
    images = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    mask = rng.integers(0, NUM_CLASSES, shape).astype(np.uint8)
    data, stopwatch = repeated_batch(images, mask), make_stopwatch()
    forward = tf.function(lambda: network(images, training=False))

    def train(count: int) -> list[float]:
        data.steps = count
        network.fit(data, verbose=0, shuffle=False, callbacks=[stopwatch])
        return stopwatch.seconds

    def product(count: int) -> list[float]:
        a, b = (tf.cast(rng.normal(size=(PRODUCT, PRODUCT)), tf.bfloat16) for _ in range(2))
        return [2 * PRODUCT**3 / 1e9 / seconds for seconds in timed(lambda: tf.matmul(a, b).numpy(), count)]

    serve(
        {
            "train": train,
            "forward": lambda count: timed(lambda: forward().numpy(), count),
            "gflop": lambda _: [forward_gflop(network, (size, size)) * batch_size],
            "product": product,
        }
    )


def compiled_network(variant: str, implementation: "Implementation", precision: str, recompute: bool = False) -> Any:
    """Build the network; with plain Keras layers it also gets Keras's own AdamW."""
    import keras

    from segmentation.networks.dense_block import set_dense_block_implementation
    from segmentation.networks.fc_densenet import fc_densenet
    from segmentation.optimizers import AdamW

    keras.config.set_dtype_policy(precision)
    network = fc_densenet(NUM_CLASSES, variant=variant)
    set_dense_block_implementation(network, implementation, recompute)
    network.compile(
        keras.optimizers.AdamW(1e-3) if implementation == "portable" else AdamW(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    network.optimizer.build(network.trainable_variables)
    return network


def repeated_batch(*arrays: Any) -> Any:
    """Return a dataset that yields the same batch `steps` times."""
    import keras

    class RepeatedBatch(keras.utils.PyDataset):
        steps = 1

        def __len__(self) -> int:
            return self.steps

        def __getitem__(self, index: int) -> tuple:
            return arrays

    return RepeatedBatch()


def make_stopwatch() -> Any:
    """Return a callback whose `seconds` are the times of the training steps of the last `fit`."""
    import keras

    class Stopwatch(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict | None = None) -> None:
            self.seconds: list[float] = []

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if logs:
                float(logs["loss"])  # waits until the step is complete
            self.seconds.append(time.perf_counter() - self.start)

    return Stopwatch()


if __name__ == "__main__":
    main()
