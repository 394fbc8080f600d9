"""Keras callbacks: reproducible dropout, checkpoints, and a clean stop on Ctrl-C and on NaN."""

import math
import signal
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from segmentation.checkpoint import TrainedModel
from segmentation.errors import UserError
from segmentation.model_files import ModelFiles
from segmentation.training.run_files import best_epoch, save_epoch


class SeedDropout(keras.callbacks.Callback):
    """Derive dropout from the seed and the epoch, so that a resumed run equals an uninterrupted one.

    Checkpoints do not store the state of Keras's random generators.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the state of every generator."""
        states = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for index, state in enumerate(states):
            state.assign(np.random.default_rng([self.seed, epoch, index]).integers(2**32, size=2, dtype=np.uint32))


class SaveCheckpoints(keras.callbacks.Callback):
    """Save the best model by validation mean IoU, and the last one with everything that resuming needs.

    Both files contain the best score, so a resumed run never overwrites a better model.
    """

    def __init__(self, trained: TrainedModel, files: ModelFiles, after_epoch: Callable[[TrainedModel], Any]) -> None:
        super().__init__()
        self.trained, self.files, self.after_epoch = trained, files, after_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch's results to the history, save the files and print the results."""
        if self.model.stop_training:  # Ctrl-C: the epoch is incomplete
            return
        results = {name: float(value) for name, value in (logs or {}).items()}
        improved = results["val_mean_iou"] > self.trained.best_score
        for name, value in results.items():
            self.trained.history.setdefault(name, []).append(value)
        save_epoch(self.trained, self.files, improved)
        tqdm.write(
            f"epoch {epoch + 1}/{self.params['epochs']}: "
            f"loss {results['loss']:.3f}, mean IoU {results['mean_iou']:.3f}; "
            f"validation loss {results['val_loss']:.3f}, mean IoU {results['val_mean_iou']:.3f}"
            + (" (best)" if improved else "")
        )
        self.after_epoch(self.trained)


class RequireFinite(keras.callbacks.Callback):
    """Raise `UserError` after the step, or at the end of the epoch, that makes a result or a weight NaN or infinite.

    It must come before `SaveCheckpoints`, so that such an epoch is never saved.
    """

    def __init__(self, trained: TrainedModel, files: ModelFiles) -> None:
        super().__init__()
        self.trained, self.files = trained, files

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember the epoch for the message."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Check the loss, which is the mean over the epoch so far and therefore stays NaN."""
        self._require_finite(f"epoch {self.epoch + 1}, step {batch + 1}", "loss", (logs or {})["loss"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Check all results, and the weights: a NaN among them need not reach the loss."""
        if self.model.stop_training:  # Ctrl-C: the epoch is incomplete and not saved
            return
        for name, value in (logs or {}).items():
            self._require_finite(f"epoch {epoch + 1}", name, value)
        for weight in self.model.weights:
            values = keras.ops.convert_to_numpy(weight)
            if not np.isfinite(values).all():
                self._require_finite(f"epoch {epoch + 1}", f"weight {weight.path}", values[~np.isfinite(values)][0])

    def _require_finite(self, when: str, name: str, value: float) -> None:
        if math.isfinite(value):
            return
        cure = "train again with a lower --learning-rate"
        if keras.config.dtype_policy().name == "mixed_float16":
            cure += ", or with --precision mixed_bfloat16 or float32"
        kept = "nothing of this training is kept"
        if self.trained.history:
            kept = f"{self.files.best} is the best network, of epoch {best_epoch(self.trained.history)}"
            cure += f", and --start-from {self.files.best}"
        raise UserError(f"{when}: the {name} is {value}; {kept}; {cure}")


class StopOnInterrupt(keras.callbacks.Callback):
    """End training after the current step on the first Ctrl-C and drop the incomplete epoch; end at once on the second.

    `interrupted`: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        self.previous = signal.getsignal(signal.SIGINT)  # Keras can end training that it has not begun

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Install the handler for Ctrl-C."""
        self.previous = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Restore the handler that was there before training; `fit` calls this after an exception too."""
        signal.signal(signal.SIGINT, self.previous)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """End validation too: an incomplete epoch is not scored."""
        if self.interrupted:
            self.model.stop_evaluating = True

    def _interrupt(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.previous)
        self.interrupted = self.model.stop_training = True
        print("\nStopping; the last complete epoch is kept. Press Ctrl-C again to stop at once.")
