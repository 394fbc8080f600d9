"""Networks that are quick to build, with weights that tell every layer from the others."""

import keras
import numpy as np

from segmentation.networks.registry import build_network

NARROW = {  # faster to trace; ENet's bottlenecks need more than one filter, which ReLU could silence
    "fc_densenet": {"groups": 2, "layers_per_block": 2, "growth_rate": 4},
    "enet": {"width": 0.25},
}


def small_network(architecture: str, num_classes: int = 3) -> keras.Model:
    """Build a narrow network of the light variant."""
    return build_network(architecture, "light", num_classes, **NARROW.get(architecture, {"width": 0.05}))


def randomise(network: keras.Model) -> None:
    """Change all weights and statistics from their initial values, so that mixing any two up shows."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.dtype.startswith("float"):
            values = weight.numpy() + 0.05 * rng.normal(size=weight.shape)
            weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
