"""FC-DenseNet in plain PyTorch, channels last and bfloat16, answering the orders of `benchmarks.dense_block`.

    python benchmarks/torch_peer.py SETTINGS    (JSON: network, size, batch, checkpoint)

`network` holds the fields of `segmentation.networks.fc_densenet.Variant`. Needs torch alone.
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

CLASSES = 13


class Layer(nn.Sequential):
    """Batch norm, ReLU, convolution, dropout."""

    def __init__(self, seen: int, made: int, kernel: int, dropout: float) -> None:
        norm = nn.BatchNorm2d(seen, eps=1e-3)
        super().__init__(norm, nn.ReLU(), nn.Conv2d(seen, made, kernel, padding=kernel // 2), nn.Dropout(dropout))


class Block(nn.Module):
    """A dense block; gives its new maps. With `keep` false its insides are computed again in the backward pass."""

    def __init__(self, seen: int, depth: int, growth: int, dropout: float, keep: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(seen + i * growth, growth, 3, dropout) for i in range(depth))
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """New maps (batch, depth * growth, height, width)."""
        return self.inside(x) if self.keep else checkpoint(self.inside, x, use_reentrant=False)

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        """What `forward` gives."""
        stack = [x]
        for layer in self.layers:
            stack.append(layer(torch.cat(stack, 1)))
        return torch.cat(stack[1:], 1)


class FCDenseNet(nn.Module):
    """The network that `fc_densenet` builds, pictures (batch, 3, height, width) to scores."""

    def __init__(self, shape: dict, keep: bool) -> None:
        super().__init__()
        growth, dropout, depths = shape["growth_rate"], shape["dropout"], shape["down_layers"]
        self.pool = {"max": functional.max_pool2d, "average": functional.avg_pool2d}[shape["pooling"]]
        self.first = nn.Conv2d(3, shape["first_maps"], shape["first_kernel"], padding=shape["first_kernel"] // 2)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.transitions_down, self.transitions_up = nn.ModuleList(), nn.ModuleList()
        maps, skips = shape["first_maps"], []
        for depth in depths:
            self.down.append(Block(maps, depth, growth, dropout, keep))
            skips.append(maps + depth * growth)
            maps = int(skips[-1] * shape["compression"])
            self.transitions_down.append(Layer(skips[-1], maps, 1, dropout))
        self.bottleneck = Block(maps, shape["bottleneck_layers"], growth, dropout, keep)
        new = shape["bottleneck_layers"] * growth
        for depth, skip in zip(reversed(depths), reversed(skips), strict=True):
            self.transitions_up.append(nn.ConvTranspose2d(new, new, 3, 2, padding=1, output_padding=1))
            maps = new + skip
            self.up.append(Block(maps, depth, growth, dropout, keep))
            new = depth * growth
        self.scores = nn.Conv2d(maps + new, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes, height, width); sizes must be multiples of the stride."""
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
        return self.scores(torch.cat([x, new], 1))


def main() -> None:
    """Build the network, answer."""
    settings = json.loads(sys.argv[1])
    torch.manual_seed(0)
    network = FCDenseNet(settings["network"], keep=not settings["checkpoint"]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    size, batch = settings["size"], settings["batch"]
    pictures = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    classes = torch.randint(0, CLASSES, (batch, size, size))

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(pictures)
        loss = functional.cross_entropy(scores.float(), classes)
        loss.backward()
        optimizer.step()
        loss.item()

    @torch.inference_mode()
    def forward() -> None:
        network.eval()
        with torch.autocast("cpu", torch.bfloat16):
            network(pictures)

    serve(
        {
            "train": lambda count: timed(step, count),
            "forward": lambda count: timed(forward, count),
        }
    )


if __name__ == "__main__":
    main()
