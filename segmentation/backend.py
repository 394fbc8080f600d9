"""Load Keras and its backend quietly, and choose how it runs."""

import importlib
import os
import sys
from pathlib import Path

from segmentation.errors import UserError


def load_keras(threads: int | None = None) -> None:
    """Import Keras. Raises `UserError` when the backend that KERAS_BACKEND names cannot be loaded.

    `threads` of the CPU compute, where the backend is TensorFlow; `None`: as many as it has cores.

    TensorFlow's C++ part prints notes about the machine that no setting silences; they go to nowhere. What
    Python says, its errors included, is told as ever.
    """
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        importlib.import_module("keras")
    except (ImportError, ValueError) as error:
        raise UserError(
            f"Keras cannot load its backend ({error}); install the requirements, or name a backend that is "
            "installed, such as KERAS_BACKEND=jax"
        ) from None
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
    if threads and sys.modules["keras"].config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def on_cpu_with_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow and no GPU is there."""
    import keras

    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def worth_compiling() -> bool:
    """Whether XLA should compile whole functions: always, but for TensorFlow on a CPU, where they get slower."""
    return not on_cpu_with_tensorflow()


def best_precision() -> str:
    """The Keras policy that trains fastest here: mixed_bfloat16 where TensorFlow's CPU multiplies bfloat16 in hardware.

    Elsewhere float32: bfloat16 is slow on older CPUs, and on GPUs the choice is not measured. What CPUs can do is known
    on Linux alone.
    """
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text().split() if cpu.exists() else []
    hardware = "amx_bf16" in flags or "avx512_bf16" in flags
    return "mixed_bfloat16" if hardware and on_cpu_with_tensorflow() else "float32"
