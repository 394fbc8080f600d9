"""Draw the curves of a training run."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from tqdm import tqdm

from segmentation.checkpoint import TrainedModel
from segmentation.errors import UserError
from segmentation.files.atomic_write import atomic_write

CURVES = {"loss": "loss", "mean_iou": "mean IoU"}


def draw_curves(trained: TrainedModel, path: Path) -> None:
    """Draw loss and mean IoU by epoch, for training and validation, as an image that replaces `path`.

    The PNG file carries the id of the training run in its text "run", as the model files carry it in their metadata.
    """
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 11}):
        figure = Figure(figsize=(10, 4), layout="constrained")
        for axes, (name, title) in zip(figure.subplots(1, 2), CURVES.items(), strict=True):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                values = trained.history.get(key, [])
                axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, label=label)
            axes.set(xlabel="epoch", title=title)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
        axes.set_ylim(0, 1)
        axes.legend(frameon=False)
        try:
            with atomic_write(path) as temporary:
                figure.savefig(temporary, format="png", dpi=110, metadata={"run": trained.run})
        except UserError as error:  # such as a viewer that locks the file, which should not stop training
            tqdm.write(str(error))
