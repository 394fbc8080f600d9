"""Run 02_fc_densenet.py as a user would, for the benchmarks that compare the accuracy of trained networks."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from segmentation.types import Size


@dataclass(frozen=True)
class Training:
    """What the compared trainings have in common."""

    dataset: Path
    validation: Path | None  # None: hold out runs of `dataset`
    size: Size
    epochs: int
    batch_size: int

    def run(self, model: Path, *flags: str) -> None:
        """Train into `model` with additional `flags`, unless the file exists already."""
        if model.exists():
            return
        common = [f"--dataset={self.dataset}", f"--epochs={self.epochs}", f"--batch-size={self.batch_size}"]
        common += [f"--model={model}", "--size", *map(str, self.size)]
        if self.validation:
            common += ["--validation", str(self.validation)]
        subprocess.run([sys.executable, "02_fc_densenet.py", *common, *flags], check=True)
