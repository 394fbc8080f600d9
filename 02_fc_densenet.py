"""Train a segmentation network on a dataset folder.

    python 02_fc_densenet.py                        train on dataset/ with the constants below
    python 02_fc_densenet.py --epochs 40            any constant is a flag too
    python 02_fc_densenet.py --check                only check the dataset folder
    python 02_fc_densenet.py --resume               continue an interrupted training

The best network by validation mean IoU is saved in models/, with its curves; 03_inference.py uses it.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from segmentation.backend import best_precision, load_keras
from segmentation.dataset.check import Report, check_folders
from segmentation.dataset.split import Split, check_split, open_split
from segmentation.errors import UserError
from segmentation.flags import require_at_least, run, script_constants
from segmentation.model_archive import read_metadata
from segmentation.model_files import ModelFiles, require_model_name
from segmentation.networks.registry import Architecture, build_network, choose_recipe
from segmentation.recipes import Optimizer, Recipe, Schedule
from segmentation.report import print_iou
from segmentation.types import Size

if TYPE_CHECKING:
    import keras

    from segmentation.checkpoint import TrainedModel

# ------------------------------------------------------------------------- what most people change
DATASET = Path("dataset")  # folder with rgb/, seg_raw/ and labels.csv
ARCHITECTURE: Architecture = "fc_densenet"  # the network: fc_densenet, unet, segnet, pspnet, deeplabv3plus or enet
VARIANT = "light"  # light for laptops, or one of the paper's, such as 103 of fc_densenet; see docs/networks.md
SIZE: Size = (240, 160)  # width and height that images are resized to, pixels; keep their proportions
EPOCHS = 15  # how often every image is seen; more is better and takes longer
BATCH_SIZE = 2  # images per step; small batches learn faster from few images, GPUs want 8 or more
AUGMENT = False  # also zoom, mirror and recolour training images; only pays off in long training
START_FROM: Path | None = None  # model file to take weights from; same ARCHITECTURE, VARIANT and filters
RESUME = False  # continue an interrupted training; give the same flags as before
CHECK = False  # check the dataset folders, then stop

# ---------------------------------------------------------------------------------------- data, output
VALIDATION: Path | None = None  # folder to validate on; None: hold out recording runs of DATASET
VALIDATION_SHARE = 0.15  # of the images, in whole recording runs, if VALIDATION is None
MODEL: Path | None = None  # best model; for x.keras, x_last.keras is for RESUME; None: models/ARCHITECTURE.keras
SEED = 1  # determines weights, split, order and augmentation

# -------------------------------------------------------------------------------------------- network
WIDTH: float | None = None  # share of the paper's filters, all but fc_densenet; None: the variant's
GROUPS: int | None = None  # fc_densenet: dense blocks on the way down, each halves the size; None: the variant's
GROWTH_RATE: int | None = None  # fc_densenet: filters that each layer adds; None: the variant's
LAYERS_PER_BLOCK: int | None = None  # fc_densenet; None: the variant's
OUTPUT_STRIDE: Literal[8, 16] | None = None  # deeplabv3plus: how much smaller the deepest features are; None: 16
ENCODER_WEIGHTS: str | None = None  # "imagenet", or a file of keras.applications; docs/training.md says for which

# ----------------------------------------------------------------------------- recipe, in segmentation/recipes.py
OPTIMIZER: Optimizer | None = None  # None: the recipe's; light: adamw, fc_densenet muon
LEARNING_RATE: float | None = None  # highest; None: the recipe's; light: 1.5e-3
SCHEDULE: Schedule | None = None  # how the learning rate falls; None: the recipe's; light: cosine
WEIGHT_DECAY: float | None = None  # None: the recipe's; light: 1e-4
CROP: Size | None = None  # width and height of random windows to train on; None: the recipe's; light: SIZE
DROPOUT: float | None = None  # fc_densenet: 0 to below 1; None: the recipe's; light: 0, for short training
CLASS_WEIGHTING: float | None = None  # loss weights, 0: equal pixels, 1: equal classes; None: the recipe's; light: 0.5

# --------------------------------------------------------------------------------------- this machine
PRECISION: Literal["float32", "mixed_bfloat16", "mixed_float16"] | None = None  # None: bfloat16 if the CPU has it
DENSE_BLOCK: Literal["auto", "fast", "portable"] = "auto"  # fc_densenet's implementation; auto: fast on a CPU
RECOMPUTE = False  # with the fast dense block: use less memory and compute more
THREADS: int | None = None  # of the CPU for TensorFlow; None: one per core
READERS = 2  # threads that read and prepare images


def main() -> None:
    """Check the data, hold out a part of it for validation, and train."""
    check_constants()
    files = ModelFiles(MODEL or Path("models", f"{ARCHITECTURE}.keras"))
    with nullcontext() if CHECK else files.lock():
        reports = check_folders([DATASET] if VALIDATION is None else [DATASET, VALIDATION])
        require_two_classes(reports[0])
        if CHECK and VALIDATION is None and reports[0].num_images < 2:
            return  # a single image can be checked, but not split
        split = open_split(DATASET, VALIDATION, VALIDATION_SHARE, SEED)
        check_split(split, reports)
        if CHECK:
            return
        load_keras(THREADS)  # takes seconds, so it comes after everything that can be checked without it
        train(split, reports, files)


def train(split: Split, reports: Sequence[Report], files: ModelFiles) -> None:
    """Open the data, build a network, compile it, fit it, and evaluate the best one."""
    import keras

    from segmentation.dataset.data_loader import DataLoader
    from segmentation.networks.dense_block import set_dense_block_implementation
    from segmentation.training.compilation import add_weight_decay, class_weights
    from segmentation.training.curves import draw_curves
    from segmentation.training.loop import evaluate, fit
    from segmentation.training.run_files import load_best

    keras.utils.set_random_seed(SEED)
    keras.config.set_dtype_policy(PRECISION or best_precision())
    recipe = chosen_recipe()

    loss_weights = class_weights(reports[0].class_pixels, recipe.class_weighting)
    load = partial(DataLoader, size=SIZE, batch_size=BATCH_SIZE, class_weights=loss_weights, threads=READERS)
    training = load(split.training, split.label_table, training=True, augment=AUGMENT, crop=recipe.crop, seed=SEED)
    validation = load(split.validation, split.label_table)

    model = start_or_resume(split, run_settings(split, reports), recipe, files, steps_per_epoch=len(training))
    set_dense_block_implementation(model.network, DENSE_BLOCK, RECOMPUTE)
    add_weight_decay(model.network, recipe)

    print(f"{model.network.name}: {model.network.count_params():,} parameters, {keras.config.dtype_policy().name}")
    print(f"{len(split.training)} images to train on, {len(split.validation)} to validate, {len(training)} steps/epoch")
    after_epoch = partial(draw_curves, path=files.curves)
    completed = fit(model, training, validation, epochs=EPOCHS, files=files, after_epoch=after_epoch)
    if not model.history:
        print("Stopped before the first epoch was complete; nothing is kept.")
        raise KeyboardInterrupt  # for the exit status

    best = load_best(model, files)
    set_dense_block_implementation(best, DENSE_BLOCK, RECOMPUTE)
    scores = {"IoU": evaluate(best, validation)}
    title = f"{files.best} on {len(split.validation)} validation images"
    print_iou(scores, split.label_table.class_names, title)
    print(f"Best model: {files.best}   curves: {files.curves}" + ("" if completed else "   continue with --resume"))


def start_or_resume(
    split: Split, settings: dict[str, str], recipe: Recipe, files: ModelFiles, steps_per_epoch: int
) -> "TrainedModel":
    """Return the model to train: a new one, or the last of an interrupted run."""
    from segmentation.checkpoint import TrainedModel
    from segmentation.training.compilation import compile_network
    from segmentation.training.curves import draw_curves
    from segmentation.training.resume import resume
    from segmentation.training.run_files import mark_start

    if RESUME:
        model = resume(files, settings, split.label_table, recipe, steps_per_epoch)
        draw_curves(model, files.curves)
        return model
    network = build(recipe, split.label_table.class_names)
    compile_network(network, recipe, steps_per_epoch=steps_per_epoch, epochs=EPOCHS)
    model = TrainedModel(network, split.label_table, SIZE, settings, run=uuid4().hex)
    mark_start(model, files)
    return model


def chosen_recipe() -> Recipe:
    """Return the recipe of the variant, changed by the constants that are not None."""
    return choose_recipe(
        ARCHITECTURE,
        VARIANT,
        optimizer=OPTIMIZER,
        learning_rate=LEARNING_RATE,
        schedule=SCHEDULE,
        weight_decay=WEIGHT_DECAY,
        crop=CROP,
        class_weighting=CLASS_WEIGHTING,
        dropout=DROPOUT,
    )


def build(recipe: Recipe, class_names: tuple[str, ...]) -> "keras.Model":
    """Build the network that the constants describe, with the weights of START_FROM if that is given."""
    from segmentation.training.warm_start import warm_start

    network = build_network(
        ARCHITECTURE,
        VARIANT,
        len(class_names),
        width=WIDTH,
        groups=GROUPS,
        growth_rate=GROWTH_RATE,
        layers_per_block=LAYERS_PER_BLOCK,
        dropout=recipe.dropout,
        output_stride=OUTPUT_STRIDE,
        encoder_weights=ENCODER_WEIGHTS,
    )
    if START_FROM:
        known = warm_start(network, class_names, START_FROM)
        print(f"Starting from {START_FROM}, which knows {known} of {len(class_names)} classes")
    return network


def run_settings(split: Split, reports: Sequence[Report]) -> dict[str, str]:
    """Return what must be the same when the run is resumed: most constants, and the samples with their contents."""
    may_change = {"DATASET", "VALIDATION", "MODEL", "RESUME", "CHECK", "THREADS", "READERS", "DENSE_BLOCK", "RECOMPUTE"}
    constants = {name: value for name, value in script_constants(main).items() if name not in may_change}
    constants["PRECISION"] = PRECISION or best_precision()
    names = [[sample.name for sample in samples] for samples in (split.training, split.validation)]
    contents = {image: found for report in reports for image, found in report.contents.items()}
    return {name.lower(): str(value) for name, value in constants.items()} | {
        "set of images": sha256(str(names).encode()).hexdigest(),
        "images or labels": split.fingerprint(contents),
    }


def require_two_classes(report: Report) -> None:
    """Raise `UserError` for a label table with a single class: there is nothing to tell it from."""
    names = report.label_table.class_names if report.label_table else ()
    if len(names) == 1:
        raise UserError(
            f"{report.folder}: {names[0]} is the only class in labels.csv, and a network needs two; give the other "
            "labels a class too, such as Other"
        )


def check_constants() -> None:
    """Refuse impossible constants before any long work."""
    chosen_recipe()  # refuses an unknown variant
    require_at_least(1, size=SIZE, crop=CROP, epochs=EPOCHS, batch_size=BATCH_SIZE, threads=THREADS, readers=READERS)
    require_at_least(0, seed=SEED, learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    require_at_least(0, class_weighting=CLASS_WEIGHTING)
    if SEED >= 2**32:
        raise UserError(f"--seed is {SEED}; use less than 2**32")
    if not 0 < VALIDATION_SHARE < 1:
        raise UserError(f"--validation-share is {VALIDATION_SHARE}; use a number between 0 and 1")
    if GROUPS and max(SIZE) < 2**GROUPS:
        raise UserError(f"--groups is {GROUPS}, too many for {SIZE[0]}x{SIZE[1]}: each halves the size; use fewer")
    if START_FROM:
        read_metadata(START_FROM)
    if MODEL:
        require_model_name(MODEL)


if __name__ == "__main__":
    run(main)
