"""New trainings over an old model, killed at random moments and at the moments when their files change."""

import random
import shutil
import time

import pytest

from segmentation.checkpoint import load_model
from segmentation.model_archive import read_metadata
from segmentation.model_files import ModelFiles
from segmentation.training.run_files import is_best_of
from tests.harness.scripts import TINY_NETWORK, Script, run_script
from tests.harness.toy_dataset import write_dataset

MOMENTS = {
    "started": lambda files, old: files.started.exists(),
    "last is being written": lambda files, old: files.started.exists() and temporary_files(files),
    "last is written": lambda files, old: files.last.stat().st_ino != old[files.last],
    "previous is written": lambda files, old: files.previous.exists(),
    "best is written": lambda files, old: files.best.stat().st_ino != old[files.best],
    "first epoch is complete": lambda files, old: files.previous.exists() and not files.started.exists(),
}


def temporary_files(files):
    return list(files.best.parent.glob(".*.part*"))


@pytest.fixture(scope="module")
def old_run(tmp_path_factory):
    """Train an old run; return its files, the flags, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("old")
    files = ModelFiles(folder / "models" / "net.keras")
    flags = ("--dataset", write_dataset(folder / "dataset"), *TINY_NETWORK, "--epochs", 3)
    begin = time.monotonic()
    status, output = run_script("02_fc_densenet.py", *flags, "--model", files.best)
    assert status == 0, output
    return files, flags, time.monotonic() - begin


@pytest.mark.slow
@pytest.mark.parametrize("trial", [*range(20), *(f"{moment} {number}" for moment in MOMENTS for number in (1, 2))])
def test_killed_training_leaves_whole_files_and_resume_takes_no_other_run(old_run, tmp_path, trial):
    old_files, flags, seconds = old_run
    old = read_metadata(old_files.last)
    files = ModelFiles(shutil.copytree(old_files.best.parent, tmp_path / "models") / "net.keras")
    inodes = {path: path.stat().st_ino for path in (files.best, files.last)}
    with Script("02_fc_densenet.py", *flags, "--model", files.best) as training:
        if isinstance(trial, int):
            training.wait_until(files.started.exists, 240)
            time.sleep(random.uniform(0, 0.7) * seconds)  # starting Python and Keras is the rest
        else:
            moment = MOMENTS[trial[:-2]]
            while not moment(files, inodes) and training.process.poll() is None:
                time.sleep(0.0005)
        training.kill()

    best = load_model(files.best)
    assert best.run == old.run or is_best_of(files.previous, old)
    started = files.started.exists() or read_metadata(files.last).run != old.run
    status, output = run_script("02_fc_densenet.py", *flags, "--model", files.best, "--resume")
    assert not temporary_files(files)
    assert load_model(files.best).run == old.run or is_best_of(files.previous, old)
    last = read_metadata(files.last)
    if status == 0:
        assert is_best_of(files.best, last) and len(last.history["loss"]) == 3
        assert not started or last.run != old.run
        kind = "resumed the new training" if started else "had not started: the old training is complete"
    else:
        assert status == 1 and "left nothing to continue" in output and started, output
        kind = "nothing to resume, the old model is untouched"
        assert is_best_of(files.best, old)
    print(f"{trial}: best of the {'old' if best.run == old.run else 'new'} run after the kill; {kind}")
