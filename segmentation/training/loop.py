"""The training loop and the evaluation on validation data."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from tqdm.keras import TqdmCallback

from segmentation.checkpoint import TrainedModel
from segmentation.dataset.data_loader import DataLoader
from segmentation.metrics import ConfusionMatrix, confusion_matrix
from segmentation.model_files import ModelFiles
from segmentation.training.callbacks import RequireFinite, SaveCheckpoints, SeedDropout, StopOnInterrupt


def fit(
    trained: TrainedModel,
    training: DataLoader,
    validation: DataLoader,
    *,
    epochs: int,
    files: ModelFiles,
    after_epoch: Callable[[TrainedModel], Any] = lambda trained: None,
) -> bool:
    """Train until `trained.history` has `epochs` epochs; return False if Ctrl-C ended it early.

    After every epoch, `files.last` is saved, from which training can be resumed, then `files.best` if the validation
    mean IoU is the best so far, and `after_epoch(trained)` is called. Raise `UserError` if a loss, score or weight
    becomes NaN or infinite, or if the files cannot be written.
    """
    completed = trained.completed_epochs
    training.start_epoch(completed)
    stop_on_interrupt = StopOnInterrupt()
    if completed < epochs:
        print("The first step takes 5 to 40 seconds, on JAX longer: the network is traced and compiled before it")
    progress = TqdmCallback(verbose=1, dynamic_ncols=True)
    try:
        trained.network.fit(
            training,
            validation_data=validation,
            epochs=epochs,
            initial_epoch=completed,
            shuffle=False,  # the data loader shuffles by seed and epoch
            callbacks=[
                SeedDropout(training.seed),
                RequireFinite(trained, files),
                SaveCheckpoints(trained, files, after_epoch),
                stop_on_interrupt,
                progress,
            ],
            verbose=0,
        )
    except BaseException:  # Keras then does not end its callbacks
        stop_on_interrupt.on_train_end()
        progress.on_train_end()
        raise
    return not stop_on_interrupt.interrupted


def evaluate(network: keras.Model, data: DataLoader) -> ConfusionMatrix:
    """Return the confusion matrix (num_classes, num_classes) of the network over all batches, at their size."""
    num_classes = network.output_shape[-1]
    confusion = np.zeros((num_classes, num_classes), np.int64)
    for index in range(len(data)):
        images, truth = data[index][:2]
        logits = np.asarray(network.predict_on_batch(images))
        confusion += confusion_matrix(truth, logits.argmax(-1).astype(np.uint8), num_classes)
    return confusion
