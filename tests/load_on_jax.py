"""Predict with saved networks on the JAX backend: a program of its own, because a process has one backend.

    KERAS_BACKEND=jax python -m tests.load_on_jax FOLDER

reads FOLDER/pictures.npy and every FOLDER/NAME.keras, and writes FOLDER/NAME.npy.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from segmentation.networks import catalogue  # noqa: F401  registers the layers

folder = Path(sys.argv[1])
pictures = np.load(folder / "pictures.npy")
for path in folder.glob("*.keras"):
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.save(path.with_suffix(".npy"), network.predict_on_batch(pictures))
