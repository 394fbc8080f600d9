"""The table of all networks: what `--architecture` and `--variant` choose from.

A new network is a file in this package and a row per variant here. Importing this module does not load Keras.
"""

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from segmentation.errors import UserError
from segmentation.recipes import (
    DEEPLABV3PLUS_RESNET,
    DEEPLABV3PLUS_XCEPTION,
    ENET,
    FC_DENSENET,
    FC_DENSENET_LIGHT,
    LIGHT,
    PSPNET,
    SEGNET,
    UNET,
    Recipe,
)

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Entry:
    """A variant of an architecture."""

    builder: str  # "module:function"; called as function(num_classes, variant=..., **options)
    recipe: Recipe

    def import_builder(self) -> "Callable[..., keras.Model]":
        """Import the builder's module, and Keras with it, and return the builder."""
        return pkgutil.resolve_name(self.builder)


REGISTRY: dict[tuple[str, str], Entry] = {  # by architecture and variant
    ("fc_densenet", "light"): Entry("segmentation.networks.fc_densenet:fc_densenet", FC_DENSENET_LIGHT),
    ("fc_densenet", "56"): Entry("segmentation.networks.fc_densenet:fc_densenet", FC_DENSENET),
    ("fc_densenet", "67"): Entry("segmentation.networks.fc_densenet:fc_densenet", FC_DENSENET),
    ("fc_densenet", "103"): Entry("segmentation.networks.fc_densenet:fc_densenet", FC_DENSENET),
    ("unet", "light"): Entry("segmentation.networks.unet:unet", LIGHT),
    ("unet", "paper"): Entry("segmentation.networks.unet:unet", UNET),
    ("unet", "batch_norm"): Entry("segmentation.networks.unet:unet", UNET),
    ("segnet", "light"): Entry("segmentation.networks.segnet:segnet", LIGHT),
    ("segnet", "paper"): Entry("segmentation.networks.segnet:segnet", SEGNET),
    ("pspnet", "light"): Entry("segmentation.networks.pspnet:pspnet", LIGHT),
    ("pspnet", "resnet50"): Entry("segmentation.networks.pspnet:pspnet", PSPNET),
    ("deeplabv3plus", "light"): Entry("segmentation.networks.deeplabv3plus:deeplabv3plus", LIGHT),
    ("deeplabv3plus", "resnet50"): Entry("segmentation.networks.deeplabv3plus:deeplabv3plus", DEEPLABV3PLUS_RESNET),
    ("deeplabv3plus", "xception65"): Entry("segmentation.networks.deeplabv3plus:deeplabv3plus", DEEPLABV3PLUS_XCEPTION),
    ("enet", "light"): Entry("segmentation.networks.enet:enet", LIGHT),
    ("enet", "paper"): Entry("segmentation.networks.enet:enet", ENET),
}

# Annotates a script's constant, so that --help lists the architectures. Type checkers cannot evaluate the table.
if TYPE_CHECKING:
    Architecture = str
else:
    Architecture = Literal[tuple(architecture for architecture, _ in REGISTRY)]  # drops duplicates, keeps the order


def build_network(architecture: str, variant: str, num_classes: int, **options: Any) -> "keras.Model":
    """Build a network; `options` that are `None` keep the variant's values.

    Raise `UserError` for an unknown variant, for an option that the network does not have, and for values that its
    builder refuses.
    """
    builder = find_entry(architecture, variant).import_builder()
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in inspect.signature(builder).parameters:
            raise UserError(f"--{name.replace('_', '-')} is not for {architecture}; leave it out")
    return builder(num_classes, variant=variant, **given)


def choose_recipe(architecture: str, variant: str, **changes: Any) -> Recipe:
    """Return the variant's recipe, changed by the `changes` that are not `None`.

    Raise `UserError` for an unknown variant.
    """
    recipe = find_entry(architecture, variant).recipe
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})


def import_networks() -> None:
    """Import all builders' modules, which registers the custom layers that a saved model may contain."""
    for entry in REGISTRY.values():
        entry.import_builder()


def find_entry(architecture: str, variant: str) -> Entry:
    """Return the table's row; raise `UserError` for an unknown variant."""
    variants = [name for known, name in REGISTRY if known == architecture]
    if variant not in variants:
        raise UserError(f"--variant is {variant}; use one of {', '.join(variants)} for {architecture}")
    return REGISTRY[architecture, variant]
