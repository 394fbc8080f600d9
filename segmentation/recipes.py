"""How each published network was trained: optimiser, learning rate and its schedule, weight decay, crop.

The light networks, which are ours, have a recipe of ours that suits few passes over few pictures.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

Architecture = Literal["fc_densenet", "unet", "segnet", "pspnet", "deeplabv3plus", "enet"]
Optimizer = Literal["muon", "adamw", "adam", "rmsprop", "sgd"]
Schedule = Literal["cosine", "polynomial", "step"]


@dataclass(frozen=True)
class Recipe:
    """A network is trained by its variant's recipe, unless constants say otherwise."""

    optimizer: Optimizer
    learning_rate: float  # highest
    # cosine: warms up over 5 % of the steps, then falls to 0; polynomial: falls to 0 as (1 - progress) ** 0.9;
    # step: is multiplied by `step_factor` every `step_epochs` epochs
    schedule: Schedule
    weight_decay: float  # times a kernel is added to its gradient; Muon and AdamW subtract it from the weight
    momentum: float = 0.9  # of SGD
    step_factor: float = 0.995
    step_epochs: int = 1
    crop: tuple[int, int] | None = None  # width and height of the random windows to train on, pixels; None: all
    class_weighting: float | Literal["log"] = 0.0  # see `training.class_weights`
    dropout: float | None = None  # None: the network's own


LIGHT = Recipe("adamw", 1.5e-3, "cosine", 1e-4, class_weighting=0.5)

# SimJeg/FC-DenseNet, config/FC-DenseNet103.py and train.py; its L2 adds 1e-4 times the square, so twice that to the
# gradient. The paper then goes on at 1e-4 without a crop.
TIRAMISU = Recipe("rmsprop", 1e-3, "step", 2e-4, crop=(224, 224))

# The paper, section 3. Its weights of the border between cells have no meaning in a street.
U_NET = Recipe("sgd", 1e-3, "step", 0.0, momentum=0.99, step_factor=1.0)

# alexgkendall/SegNet-Tutorial, Models/segnet_solver.prototxt; median frequency balancing.
SEGNET = Recipe("sgd", 1e-3, "step", 5e-4, step_factor=1.0, class_weighting=1.0)

# hszhao/semseg, config/cityscapes/cityscapes_pspnet50.yaml; there the head learns ten times as fast.
PSPNET = Recipe("sgd", 1e-2, "polynomial", 1e-4, crop=(713, 713))

# tensorflow/models, research/deeplab/train.py and g3doc/cityscapes.md.
DEEPLAB_XCEPTION = Recipe("sgd", 7e-3, "polynomial", 4e-5, crop=(769, 769))
DEEPLAB_RESNET = replace(DEEPLAB_XCEPTION, weight_decay=1e-4)

# e-lab/ENet-training, opts.lua; Adam and the class weights are the paper's. Both stages are trained as one.
ENET = Recipe("adam", 5e-4, "step", 2e-4, step_factor=0.1, step_epochs=100, class_weighting="log")

PAPERS: dict[Architecture, Recipe] = {
    "fc_densenet": TIRAMISU,
    "unet": U_NET,
    "segnet": SEGNET,
    "pspnet": PSPNET,
    "deeplabv3plus": DEEPLAB_XCEPTION,
    "enet": ENET,
}


def choose_recipe(architecture: Architecture, variant: str, **changes: Any) -> Recipe:
    """The variant's recipe, with the `changes` that are not `None` in place of its own values."""
    recipe = LIGHT if variant == "light" else PAPERS[architecture]
    if architecture == "fc_densenet" and variant == "light":
        # With Muon it learns three times as fast, the others begin slower (benchmarks/README.md). Its own dropout of
        # 0.25 pays in long trainings only.
        recipe = replace(recipe, optimizer="muon", dropout=0.0)
    if (architecture, variant) == ("deeplabv3plus", "resnet50"):
        recipe = DEEPLAB_RESNET
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})
