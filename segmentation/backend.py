"""Load Keras and its backend quietly, and choose the settings that suit this machine."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segmentation.errors import UserError


def load_keras(threads: int | None = None) -> None:
    """Import Keras. Raise `UserError` if the backend that KERAS_BACKEND names cannot be loaded.

    If the backend is TensorFlow, it computes in `threads` threads of the CPU; None: one per core.
    """
    try:
        with _standard_error_hidden():
            importlib.import_module("keras")
    except (ImportError, ValueError) as error:
        raise UserError(
            f"Keras cannot load its backend ({error}); install the requirements, or name a backend that is "
            "installed, such as KERAS_BACKEND=jax"
        ) from None
    if threads and sys.modules["keras"].config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


@contextmanager
def _standard_error_hidden() -> Iterator[None]:
    """Redirect file descriptor 2 to /dev/null: TensorFlow's C++ code prints notes that no setting silences.

    Exceptions are raised as usual.
    """
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def on_cpu_with_tensorflow() -> bool:
    """Return whether Keras runs on TensorFlow without a GPU."""
    import keras

    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def worth_compiling() -> bool:
    """Return whether XLA should compile whole functions: yes, except on a CPU with TensorFlow, which gets slower."""
    return not on_cpu_with_tensorflow()


def best_precision() -> str:
    """Return the fastest Keras dtype policy for training on this machine.

    It is mixed_bfloat16 if TensorFlow runs on a CPU that multiplies bfloat16 in hardware, which is detected on Linux
    only. Otherwise it is float32: bfloat16 is slow on older CPUs, and GPUs are not measured yet.
    """
    cpu_info = Path("/proc/cpuinfo")
    cpu_flags = cpu_info.read_text().split() if cpu_info.exists() else []
    in_hardware = "amx_bf16" in cpu_flags or "avx512_bf16" in cpu_flags
    return "mixed_bfloat16" if in_hardware and on_cpu_with_tensorflow() else "float32"
