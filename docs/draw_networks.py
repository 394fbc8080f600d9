"""Draw the light variant of every network as docs/networks/NAME.svg, for light and dark pages.

    python -m docs.draw_networks

The drawings are made from the layers of the built networks. A box is a group of layers, labelled with the number of
channels that it outputs; a line leads from an input to the box that reads it; a row is a share of the image's width and
height.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segmentation.backend import load_keras

FOLDER = Path("docs/networks")
NUM_CLASSES = 14  # of the dataset in this repository
SIDE = 192  # of the image that measures the sizes of the features, pixels
BOX, GAP, ROW = (38, 24), 18, 34  # pixels

# Layers whose names begin with the same match of a pattern are one box; the value is its kind.
STAGES = {
    "fc_densenet": {
        "first_convolution": "convolution",
        r"dense_(down|up)_\d|bottleneck": "dense block",
        r"transition_down_\d": "down",
        r"transition_up_\d": "up",
    },
    "unet": {r"(down|up)_\d_(conv|relu)|bottom": "convolution", r"down_\d_pool": "down", r"up_\d_up": "up"},
    "segnet": {r"block\d_(decoder_)?conv": "convolution", r"block\d_pool": "down", r"block\d_unpool": "up"},
    "pspnet": {
        r"conv1|conv\d_block\d|fusion": "convolution",
        "pool1$": "down",
        r"pool_\d(?!.*resized)": "context",
        r"pool_\d_resized|scores_resized": "up",
    },
    "deeplabv3plus": {
        r"conv1|conv\d_block\d|low_level|decoder_\d": "convolution",
        "pool1$": "down",
        r"aspp_(?:\d+|mean)(?!.*resized)": "context",
        "aspp_projection": "convolution",
        "aspp_resized|scores_resized": "up",
    },
    "enet": {
        r"bottleneck_[12]_0": "down",
        r"bottleneck_[45]_0": "up",
        r"bottleneck_\d_\d": "convolution",
        "initial": "down",
    },
}
LAST = {"class_scores": "scores"}
COLOURS = {  # on light and on dark pages
    "convolution": ("#c6dbef", "#2b5c8a"),
    "dense block": ("#9ecae1", "#1f6f9f"),
    "down": ("#fdd0a2", "#8f4a12"),
    "up": ("#c7e9c0", "#2d6b36"),
    "context": ("#dadaeb", "#5b4f96"),
    "scores": ("#f4b6c2", "#8c2f47"),
}
LEGEND = {  # of kinds whose name does not say enough
    "down": "half the size",
    "up": "twice the size or more",
    "scores": "classes",
    "context": "context, side by side",
}
STYLE = """
text{{font:11px sans-serif;fill:#222;text-anchor:middle;dominant-baseline:central}}
.row{{text-anchor:start;fill:#777}} .legend{{text-anchor:start}} path{{fill:none;stroke:#999;stroke-width:1.2}}
rect{{stroke:#0003;rx:3px}} {light}
@media (prefers-color-scheme:dark){{
text{{fill:#eee}} .row{{fill:#999}} path{{stroke:#888}} rect{{stroke:#fff3}} {dark}
}}
"""


@dataclass
class Stage:
    """A group of layers, drawn as a box."""

    kind: str
    output: Any  # of its last layer
    sources: set[str] = field(default_factory=set)  # names of the stages that it reads
    column: int = 0
    row: int = 0  # how many times the image's size was halved
    position: int = 0  # among boxes of the same column and row


def main() -> None:
    """Draw all networks."""
    load_keras()
    from segmentation.networks.registry import build_network

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, patterns in STAGES.items():
        network = build_network(name, "light", NUM_CLASSES)
        stages = lay_out(find_stages(network, {**patterns, **LAST}), network)
        (FOLDER / f"{name}.svg").write_text(render_svg(stages))


def find_stages(network: Any, patterns: dict[str, str]) -> dict[str, Stage]:
    """Return the stages by name, in order; a layer outside all stages passes its inputs on."""
    stages: dict[str, Stage] = {}
    origins: dict[int, set[str]] = defaultdict(set)  # by id of a tensor: the stages that it comes from
    for layer in network.layers:
        inputs = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
        sources = set().union(*(origins[id(tensor)] for tensor in inputs))
        name, kind = next(
            ((found[0], kind) for pattern, kind in patterns.items() if (found := re.match(pattern, layer.name))),
            ("", ""),
        )
        outputs = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
        if name:
            stage = stages.setdefault(name, Stage(kind, outputs[0]))
            stage.output = outputs[0]
            stage.sources |= sources - {name}
            # An unpooling reads the pooling's input for its size and the pooling for its indices: draw one line.
            pooled = {source for source in stage.sources if stages[source].sources & stage.sources}
            stage.sources -= pooled if kind == "up" and len(stage.sources) > 2 else set()
            sources = {name}
        for tensor in outputs:
            origins[id(tensor)] = sources
    return stages


def lay_out(stages: dict[str, Stage], network: Any) -> dict[str, Stage]:
    """Set every stage's column, to the right of all that it reads, and its row, by its size."""
    import keras
    import numpy as np

    tensors = [stage.output for stage in stages.values()]
    outputs = keras.Model(network.input, tensors)(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    taken: dict[tuple[int, int], int] = defaultdict(int)
    for stage, value in zip(stages.values(), outputs, strict=True):
        stage.column = 1 + max((stages[name].column for name in stage.sources), default=-1)
        height = value.shape[1]
        row_of_source = max((stages[name].row for name in stage.sources), default=0)
        stage.row = row_of_source if stage.kind == "context" else round(np.log2(SIDE / height))
        stage.position = taken[stage.column, stage.row]
        taken[stage.column, stage.row] += 1
    return stages


def render_svg(stages: dict[str, Stage]) -> str:
    """Return the drawing as SVG."""
    rows = sorted({stage.row for stage in stages.values()})
    tops, top = {}, 10
    for row in rows:
        tops[row] = top
        top += ROW * (1 + max(stage.position for stage in stages.values() if stage.row == row))
    width = 60 + (BOX[0] + GAP) * (1 + max(stage.column for stage in stages.values()))
    kinds = list(dict.fromkeys(stage.kind for stage in stages.values()))
    styles = [" ".join(f".{kind.split()[0]}{{fill:{COLOURS[kind][page]}}}" for kind in kinds) for page in (0, 1)]

    def corner(stage: Stage) -> tuple[int, int]:
        return 50 + stage.column * (BOX[0] + GAP), tops[stage.row] + stage.position * ROW

    shapes = [f'<text class="row" x="4" y="{tops[row] + BOX[1] / 2}">1/{2**row}</text>' for row in rows]
    for stage in stages.values():
        x, y = corner(stage)
        for name in sorted(stage.sources):
            left, above = corner(stages[name])
            shapes.append(render_line(left + BOX[0], above + BOX[1] / 2, x, y + BOX[1] / 2))
    for stage in stages.values():
        x, y = corner(stage)
        box = f'x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}"'
        shapes.append(f'<rect class="{stage.kind.split()[0]}" {box}/>')
        shapes.append(f'<text x="{x + BOX[0] / 2}" y="{y + BOX[1] / 2}">{stage.output.shape[-1]}</text>')
    for number, kind in enumerate(kinds):
        x = 50 + 165 * number
        shapes.append(f'<rect class="{kind.split()[0]}" x="{x}" y="{top + 8}" width="14" height="14"/>')
        shapes.append(f'<text class="legend" x="{x + 20}" y="{top + 15}">{LEGEND.get(kind, kind)}</text>')
    width = max(width, 50 + 165 * len(kinds))
    style = STYLE.format(light=styles[0], dark=styles[1])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + 32}" width="{width}">'
    return "\n".join([head, f"<style>{style}</style>", *shapes, "</svg>\n"])


def render_line(left: float, above: float, right: float, below: float) -> str:
    """Return a curve from a box's right side to another's left side."""
    bend = (right - left) / 2 if right - left < 3 * BOX[0] else GAP
    return f'<path d="M{left} {above}C{left + bend} {above} {right - bend} {below} {right} {below}"/>'


if __name__ == "__main__":
    main()
