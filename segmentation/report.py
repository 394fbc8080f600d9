"""Print the metrics of a network as a table. Names from people's files are printed literally."""

from collections.abc import Collection, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from segmentation.metrics import ConfusionMatrix, class_iou, mean_iou, pixel_accuracy
from segmentation.problems import printable


def print_iou(
    confusions: dict[str, ConfusionMatrix], class_names: Sequence[str], title: str, unlabelled: Collection[str] = ()
) -> None:
    """Print IoU per class, mean IoU and pixel accuracy, with one column per named confusion matrix.

    The classes in `unlabelled`, which the label table of the images does not have, are marked and left out of the mean.
    """
    table = Table("class", title=literal(title, "table.title"))
    for column in confusions:
        table.add_column(column, justify="right")
    ious = [class_iou(confusion) for confusion in confusions.values()]
    for index, name in enumerate(class_names):
        scores = ["not in labels" if name in unlabelled else _format(iou[index]) for iou in ious]
        table.add_row(literal(name), *scores)
    table.add_section()
    labelled = np.array([name not in unlabelled for name in class_names], bool)
    mean_of = f"mean IoU ({labelled.sum()} of {labelled.size} classes)" if unlabelled else "mean IoU"
    table.add_row(mean_of, *(_format(mean_iou(confusion, labelled)) for confusion in confusions.values()))
    table.add_row("pixel accuracy", *(_format(pixel_accuracy(confusion)) for confusion in confusions.values()))
    Console().print(table)


def literal(text: str, style: str = "") -> Text:
    """Return a text for rich without markup and emoji codes: a class may be named "[bold]" or ":car:"."""
    return Text(printable(text, keep=""), style)


def _format(value: float) -> str:
    return "absent" if np.isnan(value) else f"{value:.3f}"
