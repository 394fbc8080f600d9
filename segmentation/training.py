"""Train a network: loss, schedule, the best model kept, resume."""

import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm
from tqdm.keras import TqdmCallback

from segmentation.backend import worth_compiling
from segmentation.dataset.batches import Batches
from segmentation.errors import UserError
from segmentation.labels import VOID
from segmentation.metrics import Counts, confusion_matrix
from segmentation.model_file import TrainedModel, save_model
from segmentation.optimizer import AdamW, Muon
from segmentation.recipes import Recipe


def class_weights(pixels: npt.NDArray[np.int64], weighting: float | Literal["log"]) -> npt.NDArray[np.float32]:
    """Loss weight of a pixel by its class index, (256,), from how many pixels each class has; void weighs 0.

    `weighting` 0 weighs all pixels alike, 1 all classes (as SegNet's median frequencies do); between them a
    class weighs its share to the power of `-weighting`. "log": 1 / ln(1.02 + share), from the ENet paper. The mean
    weight of a pixel is 1.
    """
    weights = np.zeros(VOID + 1)
    occurs = pixels[:VOID] > 0
    shares = pixels[:VOID][occurs] / pixels[:VOID].sum()
    weights[:VOID][occurs] = 1 / np.log(1.02 + shares) if weighting == "log" else shares**-weighting
    return (weights * pixels[:VOID].sum() / (weights[:VOID] @ pixels[:VOID])).astype(np.float32)


def compile_network(network: keras.Model, recipe: Recipe, *, steps_per_epoch: int, epochs: int) -> None:
    """Give the network the recipe's optimiser and schedule, cross-entropy, and mean IoU.

    The loss is the mean over the pixels that are not void, by their weights where batches have any.
    """
    schedule = learning_rate_schedule(recipe, steps_per_epoch, epochs)
    optimizers = {
        "muon": lambda: Muon(schedule, decay=recipe.weight_decay),
        "adamw": lambda: AdamW(schedule, decay=recipe.weight_decay),
        "adam": lambda: keras.optimizers.Adam(schedule),
        "rmsprop": lambda: keras.optimizers.RMSprop(schedule),
        "sgd": lambda: keras.optimizers.SGD(schedule, momentum=recipe.momentum),
    }
    classes = network.output_shape[-1]
    network.compile(
        optimizer=optimizers[recipe.optimizer](),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=VOID, reduction="mean_with_sample_weight"
        ),
        metrics=[keras.metrics.MeanIoU(classes, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")],
        jit_compile=worth_compiling(),
    )
    # Built by the first step, the optimizer's variables would make TensorFlow trace that step twice.
    network.optimizer.build(network.trainable_variables)


def learning_rate_schedule(recipe: Recipe, steps_per_epoch: int, epochs: int) -> Any:
    """The recipe's learning rate by step, as a Keras schedule."""
    schedules, steps = keras.optimizers.schedules, steps_per_epoch * epochs
    if recipe.schedule == "cosine":
        warmup = max(1, steps // 20)
        return schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
    if recipe.schedule == "polynomial":
        return schedules.PolynomialDecay(recipe.learning_rate, steps, end_learning_rate=0.0, power=0.9)
    return schedules.ExponentialDecay(
        recipe.learning_rate, recipe.step_epochs * steps_per_epoch, recipe.step_factor, staircase=True
    )


def decay_weights(network: keras.Model, recipe: Recipe) -> None:
    """Add the squares of all kernels to the loss, so that `weight_decay` times a kernel is added to its gradient.

    Muon and AdamW decay weights themselves. Model files do not keep this: it must be said again when training goes on.
    """
    if recipe.optimizer not in ("muon", "adamw") and recipe.weight_decay:
        for weight in network.trainable_weights:
            if weight.path.endswith("kernel"):
                weight.regularizer = keras.regularizers.L2(recipe.weight_decay / 2)


def require_writable(folder: Path) -> None:
    """Make the folder; raises `UserError` when no file can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror}); name another with --model") from None


def fit(
    trained: TrainedModel,
    training: Batches,
    validation: Batches,
    *,
    epochs: int,
    best: Path,
    last: Path,
    after_epoch: Callable[[dict[str, list[float]]], Any] = lambda history: None,
) -> bool:
    """Train up to `epochs`, counted from the start of `trained.history`; false when Ctrl-C ended it early.

    After every epoch `best` is written if its validation mean IoU is the best so far, then `last`, from which
    training can be resumed, and `after_epoch(history)` is called.
    """
    done = len(trained.history.get("loss", []))
    training.start_epoch(done)
    keeper = KeepModels(trained, best, last, after_epoch)
    stopper = StopOnInterrupt()
    progress = TqdmCallback(verbose=1, dynamic_ncols=True)
    if done < epochs:
        print("The first step takes 5 to 40 seconds: the network is traced and compiled before it")
    trained.network.fit(
        training,
        validation_data=validation,
        epochs=epochs,
        initial_epoch=done,
        shuffle=False,  # batches shuffle their samples themselves, by seed and epoch
        callbacks=[SeedDropout(training.seed), keeper, stopper, progress],
        verbose=0,
    )
    return not stopper.interrupted


class SeedDropout(keras.callbacks.Callback):
    """Let the seed and the epoch decide dropout, whose state model files do not hold: a resumed run goes on alike."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set every generator's state."""
        states = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for index, state in enumerate(states):
            state.assign(np.random.default_rng([self.seed, epoch, index]).integers(2**32, size=2, dtype=np.uint32))


class KeepModels(keras.callbacks.Callback):
    """Write the best model by validation mean IoU, and the last with all that resuming needs.

    The best score travels in the files, so a resumed run never overwrites a better model. A new run keeps the best
    model of the run before as NAME_previous.keras.
    """

    def __init__(
        self,
        trained: TrainedModel,
        best: Path,
        last: Path,
        after_epoch: Callable[[dict[str, list[float]]], Any],
    ) -> None:
        super().__init__()
        self.trained, self.best, self.last, self.after_epoch = trained, best, last, after_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch's figures to the history, write the files, tell the figures."""
        if self.model.stop_training:  # by Ctrl-C: the epoch is not whole
            return
        figures = {name: float(value) for name, value in (logs or {}).items()}
        improved = figures["val_mean_iou"] > self.trained.best_score
        for name, value in figures.items():
            self.trained.history.setdefault(name, []).append(value)
        if epoch == 0 and self.best.exists():
            self.best.replace(self.best.with_name(f"{self.best.stem}_previous.keras"))
        if improved:
            save_model(self.trained, self.best)
        save_model(self.trained, self.last, with_optimizer=True)
        tqdm.write(
            f"epoch {epoch + 1}/{self.params['epochs']}: "
            f"loss {figures['loss']:.3f}, mean IoU {figures['mean_iou']:.3f}; "
            f"validation loss {figures['val_loss']:.3f}, mean IoU {figures['val_mean_iou']:.3f}"
            + (" (best)" if improved else "")
        )
        self.after_epoch(self.trained.history)


class StopOnInterrupt(keras.callbacks.Callback):
    """The first Ctrl-C ends training after the current step, and drops the unfinished epoch; the second at once."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Take over Ctrl-C."""
        self.previous = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Give it back."""
        signal.signal(signal.SIGINT, self.previous)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Leave validation too: an interrupted epoch is not scored."""
        if self.interrupted:
            self.model.stop_evaluating = True

    def _interrupt(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.previous)
        self.interrupted = self.model.stop_training = True
        print("\nStopping; what was learnt up to the last whole epoch is kept. Ctrl-C again stops at once.")


def evaluate(network: keras.Model, batches: Batches) -> Counts:
    """Confusion matrix (classes, classes) of the network over all samples, at the batches' size."""
    classes = network.output_shape[-1]
    confusion = np.zeros((classes, classes), np.int64)
    for index in range(len(batches)):
        pictures, truth = batches[index][:2]
        scores = np.asarray(network.predict_on_batch(pictures))
        confusion += confusion_matrix(truth, scores.argmax(-1).astype(np.uint8), classes)
    return confusion
