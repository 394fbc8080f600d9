"""Run 02 as a person would, for the benchmarks that compare what trainings reach."""

import subprocess
import sys
from pathlib import Path
from typing import Any


def train(settings: Any, model: Path, *flags: str) -> None:
    """Train into `model` by the settings' dataset, size, epochs and batch size, unless it is there already."""
    if model.exists():
        return
    common = [f"--dataset={settings.dataset}", f"--epochs={settings.epochs}", f"--batch-size={settings.batch_size}"]
    common += [f"--model={model}", "--size", *map(str, settings.size)]
    if settings.validation:
        common += ["--validation", str(settings.validation)]
    subprocess.run([sys.executable, "02_fc_densenet.py", *common, *flags], check=True)
