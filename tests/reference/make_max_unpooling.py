"""Write max_unpooling.npz, PyTorch's results of pooling with indices and unpooling.

Run `python tests/reference/make_max_unpooling.py` where torch is installed; the tests do not need it.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import max_pool2d, max_unpool2d

SIZES = [(6, 8), (7, 9), (5, 2), (2, 7), (8, 5)]  # (height, width), even and odd
CHANNELS = 3


def reference_case(height: int, width: int, seed: int) -> dict[str, torch.Tensor]:
    """Compute one size's tensors, (batch, channels, height, width), by name.

    All values are small integers, so that many windows have ties and nothing is rounded.
    """
    torch.manual_seed(seed)
    x = torch.randint(-3, 4, (2, CHANNELS, height, width)).float().requires_grad_()
    pooled, indices = max_pool2d(x, 2, return_indices=True)
    unpooled = max_unpool2d(pooled, indices, 2, output_size=x.shape)
    pooled_weights = torch.randint(-9, 10, pooled.shape).float()
    unpooled_weights = torch.randint(-9, 10, unpooled.shape).float()
    ((pooled * pooled_weights).sum() + (unpooled * unpooled_weights).sum()).backward()
    row, column = indices // width, indices % width
    return {
        "x": x,
        "pooled": pooled,
        "indices": 2 * (row % 2) + column % 2,
        "unpooled": unpooled,
        "pooled_weights": pooled_weights,
        "unpooled_weights": unpooled_weights,
        "gradient": x.grad,
    }


def main() -> None:
    """Write all tensors as int8, (batch, height, width, channels), under names such as 6x8_pooled."""
    arrays = {}
    for seed, (height, width) in enumerate(SIZES):
        for name, tensor in reference_case(height, width, seed).items():
            arrays[f"{height}x{width}_{name}"] = tensor.detach().permute(0, 2, 3, 1).numpy().astype(np.int8)
    np.savez_compressed(Path(__file__).parent / "max_unpooling.npz", **arrays)


if __name__ == "__main__":
    main()
