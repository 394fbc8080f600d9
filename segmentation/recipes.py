"""How each published network is trained: optimizer, learning rate and its schedule, weight decay, crop, class weights.

`segmentation.networks.registry` assigns a recipe to every variant. The light variants are not from a paper; their
recipes suit short trainings on few images.
"""

from dataclasses import dataclass, replace
from typing import Literal

from segmentation.types import Size

Optimizer = Literal["muon", "adamw", "adam", "rmsprop", "sgd"]
Schedule = Literal["cosine", "polynomial", "step"]


@dataclass(frozen=True)
class Recipe:
    """Training hyperparameters of a network's variant; a script's constants can change them."""

    optimizer: Optimizer
    learning_rate: float  # highest
    # cosine: warms up over 5 % of the steps, then falls to 0; polynomial: falls to 0 as (1 - progress) ** 0.9;
    # step: is multiplied by `step_factor` every `step_epochs` epochs
    schedule: Schedule
    weight_decay: float  # this times a kernel is added to its gradient; Muon and AdamW subtract it from the weight
    momentum: float = 0.9  # of SGD
    step_factor: float = 0.995
    step_epochs: int = 1
    crop: Size | None = None  # of random training crops; None: whole images
    class_weighting: float | Literal["log"] = 0.0  # see `segmentation.training.compilation.class_weights`
    dropout: float | None = None  # None: the network's default


LIGHT = Recipe("adamw", 1.5e-3, "cosine", 1e-4, class_weighting=0.5)

# With Muon the light FC-DenseNet learns three times as fast; the other light networks start more slowly with it
# (benchmarks/README.md). The variant's dropout of 0.25 only helps in long trainings.
FC_DENSENET_LIGHT = replace(LIGHT, optimizer="muon", dropout=0.0)

# SimJeg/FC-DenseNet, config/FC-DenseNet103.py and train.py. Its L2 penalty is 1e-4 times the square, so its gradient
# is 2e-4 times the weight. The paper then continues at a learning rate of 1e-4 without a crop.
FC_DENSENET = Recipe("rmsprop", 1e-3, "step", 2e-4, crop=(224, 224))

# The paper, section 3, without its weights for the borders between cells, which street scenes do not have.
UNET = Recipe("sgd", 1e-3, "step", 0.0, momentum=0.99, step_factor=1.0)

# alexgkendall/SegNet-Tutorial, Models/segnet_solver.prototxt; median frequency balancing.
SEGNET = Recipe("sgd", 1e-3, "step", 5e-4, step_factor=1.0, class_weighting=1.0)

# hszhao/semseg, config/cityscapes/cityscapes_pspnet50.yaml; there the head has ten times the learning rate.
PSPNET = Recipe("sgd", 1e-2, "polynomial", 1e-4, crop=(713, 713))

# tensorflow/models, research/deeplab/train.py and g3doc/cityscapes.md.
DEEPLABV3PLUS_XCEPTION = Recipe("sgd", 7e-3, "polynomial", 4e-5, crop=(769, 769))
DEEPLABV3PLUS_RESNET = replace(DEEPLABV3PLUS_XCEPTION, weight_decay=1e-4)

# e-lab/ENet-training, opts.lua; Adam and the class weights are from the paper. Encoder and decoder, which the authors
# train one after the other, are trained together.
ENET = Recipe("adam", 5e-4, "step", 2e-4, step_factor=0.1, step_epochs=100, class_weighting="log")
