"""Show how training went: curves as an image, metrics as a table."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from segmentation.atomic_write import atomic_write
from segmentation.errors import UserError
from segmentation.metrics import ConfusionMatrix, class_iou, mean_iou, pixel_accuracy

CURVES = {"loss": "loss", "mean_iou": "mean IoU"}
SUMMARY = {"mean IoU": mean_iou, "pixel accuracy": pixel_accuracy}  # the last rows of the table


def draw_curves(history: dict[str, list[float]], path: Path) -> None:
    """Draw loss and mean IoU by epoch, for training and validation, as an image that replaces `path`."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 11}):
        figure = Figure(figsize=(10, 4), layout="constrained")
        for axes, (name, title) in zip(figure.subplots(1, 2), CURVES.items(), strict=True):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                values = history.get(key, [])
                axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, label=label)
            axes.set(xlabel="epoch", title=title)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
        axes.set_ylim(0, 1)
        axes.legend(frameon=False)
        try:
            with atomic_write(path) as temporary:
                figure.savefig(temporary, format="png", dpi=110)
        except UserError as error:  # such as a viewer that locks the file, which should not stop training
            tqdm.write(str(error))


def print_iou(confusions: dict[str, ConfusionMatrix], class_names: Sequence[str], title: str) -> None:
    """Print IoU per class, mean IoU and pixel accuracy, with one column per named confusion matrix."""
    table = Table("class", title=title)
    for column in confusions:
        table.add_column(column, justify="right")
    ious = [class_iou(confusion) for confusion in confusions.values()]
    for index, name in enumerate(class_names):
        table.add_row(name, *(_format(iou[index]) for iou in ious))
    table.add_section()
    for name, metric in SUMMARY.items():
        table.add_row(name, *(_format(metric(confusion)) for confusion in confusions.values()))
    Console().print(table)


def _format(value: float) -> str:
    return "absent" if np.isnan(value) else f"{value:.3f}"
