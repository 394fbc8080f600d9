"""The networks by name."""

import inspect
from typing import Any

import keras

from segmentation.errors import UserError
from segmentation.networks.deeplabv3plus import deeplabv3plus
from segmentation.networks.enet import enet
from segmentation.networks.fc_densenet import fc_densenet
from segmentation.networks.pspnet import pspnet
from segmentation.networks.segnet import segnet
from segmentation.networks.unet import unet

BUILDERS = {builder.__name__: builder for builder in (fc_densenet, unet, segnet, pspnet, deeplabv3plus, enet)}


def build_network(architecture: str, classes: int, variant: str, **options: Any) -> keras.Model:
    """Build a network for `classes` classes; `options` that are `None` stay what the variant has.

    Raises `UserError` for an option that the network does not have, and for what its builder refuses.
    """
    builder = BUILDERS[architecture]
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in inspect.signature(builder).parameters:
            raise UserError(f"--{name.replace('_', '-')} is not for {architecture}; leave it out")
    return builder(classes, variant=variant, **given)
