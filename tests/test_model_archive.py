"""Model files from anywhere: whatever they contain, they load as what `save_model` writes or are refused."""

import io
import json
import os
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from segmentation.checkpoint import TrainedModel, load_model, save_model
from segmentation.errors import UserError
from segmentation.labels.label_table import parse_label_table
from segmentation.networks.fc_densenet import fc_densenet
from tests.harness.toy_dataset import LABELS

WEIGHTS, METADATA = "model.weights.h5", "segmentation.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    history = {"loss": [1.0], "val_mean_iou": [0.5]}
    network = fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4)
    save_model(TrainedModel(network, parse_label_table(LABELS, "labels.csv"), (48, 32), {}, history), path)
    return path


@pytest.fixture
def model(saved, tmp_path):
    return shutil.copy(saved, tmp_path / "model.keras")


def read_entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_entries(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def assert_refused(path, reason):
    with pytest.raises(UserError, match=reason) as refusal:
        load_model(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) < 600


def test_file_that_is_no_archive_is_refused(model):
    assert_refused(model.with_name("no.keras"), "no such model")
    content = model.read_bytes()
    model.write_bytes(content[:1000])
    assert_refused(model, "not a zip file")
    with h5py.File(model, "w"):  # Keras would take its own earlier format from it, which can contain code
        pass
    assert_refused(model, "not a zip file")
    (model.parent / "model.h5").write_bytes(content)
    assert_refused(model.parent / "model.h5", "use a .keras file")
    (model.parent / "folder.keras").mkdir()
    assert_refused(model.parent / "folder.keras", "is a folder")
    os.mkfifo(model.parent / "pipe.keras")
    assert_refused(model.parent / "pipe.keras", "is a pipe")


def test_archive_with_other_entries_is_refused(model):
    entries = read_entries(model)
    write_entries(model, {name: entries[name] for name in entries if name != METADATA})
    assert_refused(model, "contains no label table")
    write_entries(model, entries | {"../evil": b""})
    assert_refused(model, "it contains .*evil")
    write_entries(model, {name: entries[name] for name in entries if name != WEIGHTS})
    assert_refused(model, "instead of config.json")
    write_entries(model, entries)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(model, "a") as archive:
        archive.writestr(METADATA, entries[METADATA])
    assert_refused(model, "it contains")
    write_entries(model, entries | {"metadata.json": b" " * 10**8})
    assert_refused(model, "unpack to 100,")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"height": 0}, "height in segmentation.json is 0"),
        ({"width": 10**6}, "width in segmentation.json is 1000000"),
        ({"width": True}, "width in segmentation.json is true"),
        ({"labels": None}, "labels in segmentation.json is null"),
        ({"labels": "hello"}, "labels in .*model.keras"),
        ({"labels": LABELS + "9,Pole,9,9,9,Pole\n"}, "into .*, but its label table has 4 classes"),
        ({"history": {"loss": "nan"}}, "history in segmentation.json"),
        ({"history": {"loss": [1.0], "val_loss": []}}, "history in segmentation.json"),
        ({"history": {"loss": [[0.5]]}}, "history in segmentation.json"),
        ({"recipe": [1]}, "recipe in segmentation.json"),
        ({"run": {}}, "run in segmentation.json"),
    ],
)
def test_metadata_of_other_types_is_refused(model, changes, reason):
    entries = read_entries(model)
    entries[METADATA] = json.dumps(json.loads(entries[METADATA]) | changes).encode()
    write_entries(model, entries)
    assert_refused(model, reason)


@pytest.mark.parametrize("content", [b"[]", b"7", b"[" * 100_000, b"\xff", b'{"height": ' + b"9" * 5000 + b"}", b""])
def test_json_of_any_kind_is_refused(model, content):
    for entry in (METADATA, "config.json"):
        write_entries(model, read_entries(model) | {entry: content})
        assert_refused(model, "cannot be read as a model")


def test_weights_of_other_files_and_of_any_size_are_refused(model):
    entries = read_entries(model)

    def write_weights(change):
        content = io.BytesIO(entries[WEIGHTS])
        with h5py.File(content, "r+") as file:
            change(file)
        write_entries(model, entries | {WEIGHTS: content.getvalue()})

    write_weights(lambda file: file.create_dataset("huge", (10**6, 10**6), chunks=(1, 10), fillvalue=0))
    assert_refused(model, "declare 4,000,0")
    write_weights(lambda file: file.update(link=h5py.ExternalLink("/etc/passwd", "/")))
    assert_refused(model, "weights link are a link")
    write_weights(lambda file: file.create_dataset("text", data="hello"))
    assert_refused(model, "weights text are not plain numbers")


def test_network_that_runs_code_is_refused(model):
    images = keras.Input((None, None, 3))
    keras.Model(images, keras.layers.Lambda(lambda x: x)(images)).save(model.with_name("code.keras"))
    code = read_entries(model.with_name("code.keras"))
    write_entries(model, read_entries(model) | {"config.json": code["config.json"]})
    assert_refused(model, "[Ll]ambda")


@pytest.mark.parametrize("reads", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_file_with_any_bytes_changed_loads_or_is_refused_in_one_sentence(model, reads):
    rng = np.random.default_rng(1)
    whole, entries = model.read_bytes(), read_entries(model)
    loaded = 0
    for _ in range(reads):
        if rng.random() < 0.2:
            model.write_bytes(mutate(whole, rng))
        else:  # with a checksum that is right
            name = rng.choice(list(entries))
            write_entries(model, entries | {name: mutate(entries[name], rng)})
        try:
            load_model(model)
            loaded += 1
        except UserError as error:
            assert str(model) in str(error) and "\n" not in str(error)
    print(f"{reads} reads: {loaded} loaded, {reads - loaded} refused")
    assert loaded > 0


def mutate(content, rng):
    """Change, remove, repeat or insert a few bytes."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(content) + 1))
        end = start + int(rng.choice([1, 1, 2, 8, 100]))
        content[start:end] = [
            bytes(rng.integers(0, 256, end - start, np.uint8)), b"", bytes(content[start:end]) * 2, b"\xff" * 8,
        ][rng.integers(4)]  # fmt: skip
    return bytes(content)
