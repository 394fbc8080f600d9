"""Train FC-DenseNet in plain PyTorch, channels last and bfloat16, at the request of `benchmarks.dense_block`.

    python benchmarks/torch_peer.py SETTINGS    (JSON: config, size, batch_size, checkpoint)

`config` holds the fields of `segmentation.networks.fc_densenet.Config`; `checkpoint` turns gradient checkpointing on.
Requests: train, forward. Needs only PyTorch.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file, in an environment without the project's packages

from benchmarks.peer import serve, timed

NUM_CLASSES = 13


class Layer(nn.Sequential):
    """Batch norm, ReLU, convolution, dropout."""

    def __init__(self, channels: int, filters: int, kernel: int, dropout: float) -> None:
        norm = nn.BatchNorm2d(channels, eps=1e-3)
        super().__init__(
            norm, nn.ReLU(), nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.Dropout(dropout)
        )


class Block(nn.Module):
    """A dense block, which returns its new features.

    Unless `keep` is set, intermediate features are computed again in the backward pass (gradient checkpointing).
    """

    def __init__(self, channels: int, depth: int, growth_rate: int, dropout: float, keep: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(channels + i * growth_rate, growth_rate, 3, dropout) for i in range(depth))
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the new features (batch, depth * growth_rate, height, width)."""
        return self.compute(x) if self.keep else checkpoint(self.compute, x, use_reentrant=False)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the result of `forward`."""
        stack = [x]
        for layer in self.layers:
            stack.append(layer(torch.cat(stack, 1)))
        return torch.cat(stack[1:], 1)


class FCDenseNet(nn.Module):
    """The network that `fc_densenet` builds: images (batch, 3, height, width) to logits."""

    def __init__(self, config: dict, keep: bool) -> None:
        super().__init__()
        growth_rate, dropout, depths = config["growth_rate"], config["dropout"], config["down_layers"]
        self.pool = {"max": functional.max_pool2d, "average": functional.avg_pool2d}[config["pooling"]]
        kernel, filters = config["first_kernel_size"], config["first_filters"]
        self.first = nn.Conv2d(3, filters, kernel, padding=kernel // 2)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.transitions_down, self.transitions_up = nn.ModuleList(), nn.ModuleList()
        channels, skips = filters, []
        for depth in depths:
            self.down.append(Block(channels, depth, growth_rate, dropout, keep))
            skips.append(channels + depth * growth_rate)
            channels = int(skips[-1] * config["compression"])
            self.transitions_down.append(Layer(skips[-1], channels, 1, dropout))
        self.bottleneck = Block(channels, config["bottleneck_layers"], growth_rate, dropout, keep)
        new = config["bottleneck_layers"] * growth_rate
        for depth, skip in zip(reversed(depths), reversed(skips), strict=True):
            self.transitions_up.append(nn.ConvTranspose2d(new, new, 3, 2, padding=1, output_padding=1))
            channels = new + skip
            self.up.append(Block(channels, depth, growth_rate, dropout, keep))
            new = depth * growth_rate
        self.logits = nn.Conv2d(channels + new, NUM_CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes, height, width); height and width must be multiples of the stride."""
        x = self.first(x)
        skips = []
        for block, transition in zip(self.down, self.transitions_down, strict=True):
            x = torch.cat([x, block(x)], 1)
            skips.append(x)
            x = self.pool(transition(x), 2)
        new = self.bottleneck(x)
        for block, transition in zip(self.up, self.transitions_up, strict=True):
            x = torch.cat([transition(new), skips.pop()], 1)
            new = block(x)
        return self.logits(torch.cat([x, new], 1))


def main() -> None:
    """Build the network and serve requests."""
    settings = json.loads(sys.argv[1])
    torch.manual_seed(0)
    network = FCDenseNet(settings["config"], keep=not settings["checkpoint"]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    size, batch_size = settings["size"], settings["batch_size"]
    images = torch.rand(batch_size, 3, size, size).to(memory_format=torch.channels_last)
    mask = torch.randint(0, NUM_CLASSES, (batch_size, size, size))

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images)
        loss = functional.cross_entropy(logits.float(), mask)
        loss.backward()
        optimizer.step()
        loss.item()

    @torch.inference_mode()
    def forward() -> None:
        network.eval()
        with torch.autocast("cpu", torch.bfloat16):
            network(images)

    serve(
        {
            "train": lambda count: timed(step, count),
            "forward": lambda count: timed(forward, count),
        }
    )


if __name__ == "__main__":
    main()
