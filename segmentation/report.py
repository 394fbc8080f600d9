"""Show how training went: curves as a picture, IoU per class as a table."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from segmentation.errors import UserError
from segmentation.metrics import Counts, class_iou, mean_iou, pixel_accuracy
from segmentation.whole_file import whole_file

CURVES = {"loss": "loss", "mean_iou": "mean IoU"}


def draw_curves(history: dict[str, list[float]], path: Path) -> None:
    """Draw loss and mean IoU by epoch, training and validation, as a picture; replaces the file whole."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 11}):
        figure = Figure(figsize=(10, 4), layout="constrained")
        for axes, (name, title) in zip(figure.subplots(1, 2), CURVES.items(), strict=True):
            for key, what in ((name, "training"), (f"val_{name}", "validation")):
                values = history.get(key, [])
                axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, label=what)
            axes.set(xlabel="epoch", title=title)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
        axes.set_ylim(0, 1)
        axes.legend(frameon=False)
        try:
            with whole_file(path) as temporary:
                figure.savefig(temporary, format="png", dpi=110)
        except UserError as error:  # such as a viewer that locks it: no reason to stop training
            tqdm.write(str(error))


def print_iou(confusions: dict[str, Counts], classes: Sequence[str], title: str) -> None:
    """Print IoU per class, mean IoU and pixel accuracy; a column for every named confusion matrix."""
    table = Table("class", title=title)
    for name in confusions:
        table.add_column(name, justify="right")
    ious = [class_iou(confusion) for confusion in confusions.values()]
    for index, name in enumerate(classes):
        table.add_row(name, *(_figure(iou[index]) for iou in ious))
    table.add_section()
    table.add_row("mean IoU", *(_figure(mean_iou(confusion)) for confusion in confusions.values()))
    table.add_row("pixel accuracy", *(_figure(pixel_accuracy(confusion)) for confusion in confusions.values()))
    Console().print(table)


def _figure(value: float) -> str:
    return "absent" if np.isnan(value) else f"{value:.3f}"
