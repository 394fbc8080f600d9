"""Predict with saved networks on the JAX backend; a separate program, because a process has only one backend.

    KERAS_BACKEND=jax python -m tests.harness.load_on_jax FOLDER

Reads FOLDER/images.npy and every FOLDER/NAME.keras, and writes FOLDER/NAME.npy.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from segmentation.networks.registry import import_networks

import_networks()
folder = Path(sys.argv[1])
images = np.load(folder / "images.npy")
for path in folder.glob("*.keras"):
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.save(path.with_suffix(".npy"), network.predict_on_batch(images))
