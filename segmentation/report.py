"""Print the metrics of a network as a table."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from segmentation.metrics import ConfusionMatrix, class_iou, mean_iou, pixel_accuracy

SUMMARY = {"mean IoU": mean_iou, "pixel accuracy": pixel_accuracy}  # the last rows of the table


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
