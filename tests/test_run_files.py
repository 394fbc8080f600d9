"""Whatever ends a training, its files are whole, belong together, or are told apart."""

import errno
import io
import os
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from segmentation.checkpoint import TrainedModel, load_model
from segmentation.errors import UserError
from segmentation.labels.label_table import parse_label_table
from segmentation.model_archive import read_metadata
from segmentation.model_files import ModelFiles
from segmentation.recipes import LIGHT
from segmentation.training.compilation import compile_network
from segmentation.training.run_files import is_best_of, mark_start, require_resumable, save_best, save_epoch
from tests.harness.toy_dataset import LABELS


class Killed(BaseException):
    """The process has been killed: nothing that it does from now on has an effect."""


class Disk:
    """Counts the operations on files, and lets the process die, or the disk be full, at one of them."""

    def __init__(self, monkeypatch):
        self.count, self.dies_at, self.full_at = 0, None, None
        operations = [(Path, "replace"), (os, "link"), (os, "fsync"), (zipfile.ZipFile, "writestr"), (Path, "unlink")]
        for owner, name in operations:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), needs_room=name != "unlink"))

    def _counted(self, operation, needs_room):
        def counted(*args, **kwargs):
            self.count += 1
            if self.dies_at is not None and self.count >= self.dies_at:
                raise Killed
            if self.count == self.full_at and needs_room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return operation(*args, **kwargs)

        return counted


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture(scope="module")
def network():
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.Conv2D(3, 1)(images))  # small, so that saving is fast
    compile_network(network, LIGHT, steps_per_epoch=10, epochs=1)
    return network


@pytest.fixture
def old_run(network, tmp_path):
    """Return the files of a finished training of two epochs."""
    files = ModelFiles(tmp_path / "old" / "net.keras")
    old = new_run(network, "old")
    for score in (0.25, 0.5):
        add_epoch(old, score)
        save_epoch(old, files, improved=True)
    return files


@pytest.fixture
def moments(old_run, network, disk, tmp_path):
    """Generate, for every operation of a new training, its number and the files of the old training."""
    disk.count = 0
    train_again(network, ModelFiles(shutil.copytree(old_run.best.parent, tmp_path / "count") / "net.keras"))
    count = disk.count

    def generate():
        for moment in range(1, count + 1):
            disk.count = 0
            yield moment, ModelFiles(shutil.copytree(old_run.best.parent, tmp_path / str(moment)) / "net.keras")

    return generate()


def new_run(network, run):
    return TrainedModel(network, parse_label_table(LABELS, "labels.csv"), (48, 32), run=run)


def add_epoch(trained, score):
    """Set all weights to the score, by which the epoch can be recognised."""
    for values in (trained.history.setdefault(name, []) for name in ("loss", "val_mean_iou")):
        values.append(score)
    trained.network.set_weights([np.full_like(weight, score) for weight in trained.network.get_weights()])


def train_again(network, files):
    """Train a new run of two epochs over the old one, whose last has the best score."""
    new = new_run(network, "new")
    mark_start(new, files)
    for score in (0.125, 0.375):
        add_epoch(new, score)
        save_epoch(new, files, improved=True)


def weights_of(path):
    """Return the different values of the weights in a model file."""
    values = set()
    with h5py.File(io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5"))) as file:
        file["layers"].visititems(lambda _, item: values.update(np.unique(item)) if hasattr(item, "shape") else None)
    return values


def assert_best_is_whole(files):
    best = read_metadata(files.best)
    assert weights_of(files.best) == {best.history["val_mean_iou"][-1]}
    assert best.run == "old" or weights_of(files.previous) == {0.5}
    return best


def test_killed_at_any_moment_the_best_model_is_whole_and_no_other_run_is_resumed(moments, network, disk):
    outcomes = []
    for moment, files in moments:
        disk.dies_at = moment
        with pytest.raises(Killed):
            train_again(network, files)
        disk.dies_at = None
        best = assert_best_is_whole(files)
        with files.lock():
            assert not list(files.best.parent.glob(".*.part*"))
        if not files.started.exists() and read_metadata(files.last).run == "old":
            outcomes.append("not started")
            continue
        try:
            require_resumable(files)
        except UserError as error:
            assert "left nothing to continue" in str(error) and best.run == "old"
            outcomes.append("nothing left")
            continue
        last = read_metadata(files.last)
        assert last.run == "new"
        if not is_best_of(files.best, last):  # as `resume` does
            save_best(load_model(files.last, with_optimizer=True), files)
        assert is_best_of(files.best, last)
        assert weights_of(files.best) == weights_of(files.last) == {last.history["val_mean_iou"][-1]}
        assert weights_of(files.previous) == {0.5}
        outcomes.append(f"epoch {len(last.history['loss'])}")
    assert sorted(set(outcomes), key=outcomes.index) == ["not started", "nothing left", "epoch 1", "epoch 2"]
    assert len(outcomes) > 20


def test_full_disk_at_any_moment_leaves_whole_files_and_one_sentence(moments, network, disk):
    refused = 0
    for moment, files in moments:
        disk.full_at = moment
        try:
            train_again(network, files)
        except UserError as error:
            assert "No space left on device" in str(error)
            refused += 1
        disk.full_at = None
        assert_best_is_whole(files)
        assert not list(files.best.parent.glob(".*.part*"))
    assert refused > 10


def test_best_model_of_another_run_is_not_taken_for_the_resumed_one(old_run, network):
    files = old_run
    require_resumable(files)
    other = new_run(network, "other")
    add_epoch(other, 0.75)
    save_best(other, files)
    require_resumable(files)  # the last epoch is the best one, so the best model can be written again
    old = load_model(files.last, with_optimizer=True)
    add_epoch(old, 0.25)
    save_epoch(old, files, improved=False)
    with pytest.raises(UserError, match=r"not the best model of the training .*--start-from"):
        require_resumable(files)
    files.best.unlink()
    with pytest.raises(UserError, match="is missing"):
        require_resumable(files)


def test_second_training_of_a_model_is_refused_and_leftovers_are_removed(tmp_path):
    files = ModelFiles(tmp_path / "models" / ("n" * 240 + ".keras"))
    with files.lock():
        with pytest.raises(UserError, match="another training is writing it"), files.lock():
            pass
        with ModelFiles(tmp_path / "models" / "other.keras").lock():
            pass
    with pytest.raises(UserError, match="too long"), ModelFiles(tmp_path / ("n" * 241 + ".keras")).lock():
        pass
