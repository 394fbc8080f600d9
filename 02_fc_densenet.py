"""Train a segmentation network on a dataset folder.

    python 02_fc_densenet.py                        train on dataset/ with the constants below
    python 02_fc_densenet.py --epochs 40            any constant is a flag too
    python 02_fc_densenet.py --check                only check the dataset folder
    python 02_fc_densenet.py --resume               go on after an interruption

The best network by validation mean IoU is in models/, with its curves; 03_inference.py uses it.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from segmentation.backend import best_precision, load_keras
from segmentation.dataset.check import check_folders
from segmentation.dataset.folder import open_dataset
from segmentation.dataset.split import split_by_run
from segmentation.errors import UserError
from segmentation.flags import require_at_least, run
from segmentation.labels import LabelTable
from segmentation.recipes import Architecture, Optimizer, Recipe, Schedule, choose_recipe
from segmentation.report import draw_curves, print_iou

# ---------------------------------------------------------------------------------------------- data
DATASET = Path("dataset")  # folder with rgb/, seg_raw/ and labels.csv
VALIDATION: Path | None = None  # folder to validate on; None: hold out runs of DATASET
VALIDATION_SHARE = 0.15  # of the pictures, in whole recording runs, where VALIDATION is None
SIZE = (240, 160)  # width and height that pictures are resized to, pixels, in their proportions; smaller is faster
AUGMENT = False  # show parts of training pictures, mirrored and recoloured too; pays in long trainings only

# ------------------------------------------------------------------------------------------- network
ARCHITECTURE: Architecture = "fc_densenet"  # or unet, segnet, pspnet, deeplabv3plus, enet
VARIANT = "light"  # for laptops; README.md names the papers' own, such as 103 of fc_densenet
WIDTH: float | None = None  # maps as a share of the paper's, all but fc_densenet; None: the variant's own
GROUPS: int | None = None  # fc_densenet: dense blocks on the way down, each halves the size; None: the variant's own
GROWTH_RATE: int | None = None  # fc_densenet: maps that each layer adds; None: the variant's own
LAYERS_PER_BLOCK: int | None = None  # fc_densenet; None: the variant's own
OUTPUT_STRIDE: Literal[8, 16] | None = None  # deeplabv3plus: pixels from one deep map's point to the next; None: 16
ENCODER_WEIGHTS: str | None = None  # "imagenet", or a file of keras.applications; README.md says for which networks
START_FROM: Path | None = None  # model file of a network like this one, whose weights to go on from; None: from scratch

# ------------------------------------------------------------------------------------------ training
# Where None is said to be the recipe's: light networks have one of ours, the others that of their paper, and both are
# in segmentation/recipes.py.
EPOCHS = 15  # times that every picture is seen; more is better and takes longer
BATCH_SIZE = 2  # pictures a step; small ones learn faster from few pictures, GPUs want 8 or more
OPTIMIZER: Optimizer | None = None  # None: the recipe's; light: adamw, fc_densenet muon
LEARNING_RATE: float | None = None  # highest; None: the recipe's; light: 1.5e-3
SCHEDULE: Schedule | None = None  # how the rate falls; None: the recipe's; light: cosine
WEIGHT_DECAY: float | None = None  # None: the recipe's; light: 1e-4
CROP: tuple[int, int] | None = None  # width and height of random windows to train on; None: the recipe's; light: SIZE
DROPOUT: float | None = None  # fc_densenet: 0 to below 1; None: the recipe's; light: 0, for short trainings
CLASS_WEIGHTING: float | None = None  # 0: pixels weigh alike in the loss; 1: classes do; None: the recipe's; light: 0.5
PRECISION: Literal["float32", "mixed_bfloat16", "mixed_float16"] | None = None  # None: bfloat16 where the CPU has it
DENSE_BLOCK: Literal["auto", "fast", "portable"] = "auto"  # how fc_densenet computes them; auto: fast on a CPU
RECOMPUTE = False  # fc_densenet's fast way: keep less for the backward pass and compute it again, when memory runs out
THREADS: int | None = None  # of the CPU that compute, with TensorFlow; None: one a core
READERS = 2  # threads that read and prepare pictures
SEED = 1  # decides weights, split, order and augmentation

# -------------------------------------------------------------------------------------------- output
MODEL: Path | None = None  # best model; NAME_last.keras and curves lie beside it; None: models/ARCHITECTURE.keras
RESUME = False  # go on from NAME_last.keras as if nothing had happened; give the same flags as before
CHECK = False  # check the dataset folders, then stop


def main(settings: Any) -> None:
    """Check the data, hold out some for validation, train, show the result."""
    check_settings(settings)
    folders = [settings.dataset] + ([settings.validation] if settings.validation else [])
    reports = check_folders(folders)
    if settings.check:
        return
    dataset = open_dataset(settings.dataset)
    labels = dataset.read_labels()
    if settings.validation:
        other = open_dataset(settings.validation)
        if other.read_labels() != labels:
            raise UserError(f"{other.folder}: its labels.csv differs from that of {dataset.folder}; make them alike")
        samples, held_out = dataset.samples, other.samples
    else:
        samples, held_out = split_by_run(dataset.samples, settings.validation_share, settings.seed)
    train(settings, labels, samples, held_out, reports[0].class_pixels)


def check_settings(settings: Any) -> None:
    """Refuse impossible values before any long work."""
    require_at_least(1, settings, "size", "crop", "epochs", "batch_size", "threads", "readers")
    require_at_least(0, settings, "seed", "learning_rate", "weight_decay", "class_weighting")
    if settings.seed >= 2**32:
        raise UserError(f"--seed is {settings.seed}; use less than 2**32")
    if not 0 < settings.validation_share < 1:
        raise UserError(f"--validation-share is {settings.validation_share}; use a number between 0 and 1")
    if settings.model and settings.model.suffix != ".keras":
        raise UserError(f"--model is {settings.model}; its name must end in .keras")


def train(settings: Any, labels: LabelTable, samples: Any, held_out: Any, class_pixels: Any) -> None:
    """Fit a network, print the IoU per class of the best."""
    # TensorFlow takes seconds to load: not before flags and data are known to be right.
    load_keras(settings.threads)
    import keras

    from segmentation import training
    from segmentation.dataset.batches import Batches
    from segmentation.model_file import load_model
    from segmentation.networks.dense_block import DenseBlock

    if settings.dense_block == "fast" and keras.config.backend() != "tensorflow":
        raise UserError(f"--dense-block fast needs TensorFlow, and Keras runs on {keras.config.backend()}; use auto")
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(settings.precision or best_precision())
    DenseBlock.path, DenseBlock.recompute = settings.dense_block, settings.recompute
    recipe = recipe_of(settings)
    width, height = settings.size
    common = {
        "height": height,
        "width": width,
        "batch_size": settings.batch_size,
        "class_weights": training.class_weights(class_pixels, recipe.class_weighting),
        "threads": settings.readers,
    }
    batches = Batches(
        samples, labels, training=True, augmented=settings.augment, crop=recipe.crop, seed=settings.seed, **common
    )
    validation = Batches(held_out, labels, **common)
    model = settings.model or Path("models", f"{settings.architecture}.keras")
    last, curves = (model.with_name(f"{model.stem}_{end}") for end in ("last.keras", "curves.png"))

    trained = start_or_resume(settings, recipe, model, last, batches, held_out)
    training.decay_weights(trained.network, recipe)
    print(f"{trained.network.name}: {trained.network.count_params():,} parameters, {keras.config.dtype_policy().name}")
    print(f"{len(samples)} pictures to train on, {len(held_out)} to validate, {len(batches)} steps an epoch")
    whole = training.fit(
        trained,
        batches,
        validation,
        epochs=settings.epochs,
        best=model,
        last=last,
        after_epoch=lambda history: draw_curves(history, curves),
    )
    if not trained.history:
        print("Stopped before the first epoch was whole; nothing is kept.")
        return
    best = load_model(model)
    confusion = training.evaluate(best.network, validation)
    print_iou({"IoU": confusion}, labels.classes, f"{model} on {len(held_out)} validation pictures")
    print(f"Best model: {model}   curves: {curves}" + ("" if whole else "   go on with --resume"))


def recipe_of(settings: Any) -> Recipe:
    """The recipe of the architecture's variant, with what the constants say otherwise."""
    names = ("optimizer", "learning_rate", "schedule", "weight_decay", "crop", "class_weighting", "dropout")
    return choose_recipe(settings.architecture, settings.variant, **{name: getattr(settings, name) for name in names})


def start_or_resume(settings: Any, recipe: Recipe, model: Path, last: Path, batches: Any, held_out: Any) -> Any:
    """A new network with its optimiser, or the one of the run that was interrupted, as it was."""
    from segmentation import training
    from segmentation.model_file import TrainedModel, load_model
    from segmentation.networks.catalogue import build_network
    from segmentation.starting import start_from

    # What may change in the middle of a training:
    free = ("model", "resume", "check", "threads", "readers", "dense_block", "recompute")
    notes = {name: str(value) for name, value in vars(settings).items() if name not in free}
    notes["precision"] = settings.precision or best_precision()
    pictures = [[sample.name for sample in chosen] for chosen in (batches.samples, held_out)]
    notes["set of pictures"] = sha256(str(pictures).encode()).hexdigest()
    if settings.resume:
        trained = load_model(last, with_optimizer=True)
        changed = [name for name in notes if trained.recipe.get(name) != notes[name]]
        if changed or trained.labels != batches.labels:
            what = ", ".join(changed) or "labels.csv"
            raise UserError(f"{last}: was trained with another {what}; give the same, or train without --resume")
        return trained
    network = build_network(
        settings.architecture,
        len(batches.labels.classes),
        settings.variant,
        width=settings.width,
        groups=settings.groups,
        growth_rate=settings.growth_rate,
        layers_per_block=settings.layers_per_block,
        dropout=recipe.dropout,
        output_stride=settings.output_stride,
        encoder_weights=settings.encoder_weights,
    )
    if settings.start_from:
        known = start_from(network, batches.labels.classes, settings.start_from)
        print(f"Starting from {settings.start_from}, which knows {known} of {len(batches.labels.classes)} classes")
    training.compile_network(network, recipe, steps_per_epoch=len(batches), epochs=settings.epochs)
    training.require_writable(model.parent)
    return TrainedModel(network, batches.labels, batches.height, batches.width, notes)


if __name__ == "__main__":
    run(main)
