"""Load Keras and its backend quietly, and choose how it runs."""

import importlib
import os
import sys

from segmentation.errors import UserError


def load_keras() -> None:
    """Import Keras. Raises `UserError` when the backend that KERAS_BACKEND names cannot be loaded.

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


def on_cpu_with_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow and no GPU is there."""
    import keras

    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def worth_compiling() -> bool:
    """Whether XLA should compile whole functions: always, but for TensorFlow on a CPU, where they get slower."""
    return not on_cpu_with_tensorflow()
