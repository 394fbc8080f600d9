"""The scripts, run as a user runs them."""

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image

from segmentation.inference import filter_majority
from segmentation.labels.label_table import COLUMNS
from tests.harness.processes import ROOT
from tests.harness.scripts import TINY_NETWORK, run_script
from tests.harness.toy_dataset import street

CAMVID = ROOT.parent / "shared" / "camvid"


def test_trained_network_segments_images_of_several_sizes(make_dataset, tmp_path):
    model, out = tmp_path / "net.keras", tmp_path / "out"
    status, output = run_script(
        "02_fc_densenet.py", "--dataset", make_dataset(count=16), *TINY_NETWORK, "--epochs", 12, "--model", model,
        "--learning-rate", "0.02",
    )  # fmt: skip
    assert status == 0, output
    assert (tmp_path / "net_curves.png").stat().st_size > 10_000

    test = make_dataset("test", count=3, height=50, width=70)
    Image.fromarray(street(9, 33, 47)[0]).save(test / "rgb" / "photo.jpg")
    status, output = run_script("03_inference.py", "--model", model, "--images", test, "--output", out)
    assert status == 0, output
    assert float(re.search(r"mean IoU\W+([\d.]+)", output)[1]) > 0.5, output
    assert all(name in output for name in ("Road", "Sky", "Vehicle", "filtered"))
    for name, size in (("00000000", (70, 50)), ("photo", (47, 33))):
        ids = Image.open(out / "seg_raw" / f"seg_raw_{name}.png")
        assert ids.size == size and set(np.unique(ids)) <= {1, 2, 3}
        assert Image.open(out / "seg" / f"seg_{name}.png").size == size
        assert Image.open(out / "panel" / f"panel_{name}.png").width > size[0] * 4


def test_unreadable_image_does_not_stop_the_others(make_dataset, tmp_path):
    model, out = tmp_path / "net.keras", tmp_path / "out"
    status, output = run_script(
        "02_fc_densenet.py", "--dataset", make_dataset(), *TINY_NETWORK, "--epochs", 1, "--model", model
    )
    assert status == 0, output
    test = make_dataset("test", count=3)
    (test / "rgb" / "rgb_00000001.png").write_bytes(b"")
    status, output = run_script("03_inference.py", "--model", model, "--images", test, "--output", out)
    assert status == 1 and "rgb_00000001.png: empty file" in output and "Traceback" not in output
    assert len(list((out / "seg").iterdir())) == 2


def test_inference_never_overwrites_images_and_labels(make_dataset):
    folder = make_dataset()
    for images in (folder, folder / "rgb"):
        status, output = run_script("03_inference.py", "--images", images, "--output", folder)
        assert status == 1 and "name another folder" in output


def test_inference_without_a_model_says_what_to_do(make_dataset, tmp_path):
    status, output = run_script("03_inference.py", "--model", tmp_path / "no.keras", "--images", make_dataset())
    assert status == 1 and "no.keras: no such model" in output and "Traceback" not in output


def test_filter_returns_the_most_frequent_class_of_the_neighbourhood():
    classes = np.zeros((9, 9), np.uint8)
    classes[:, 5:] = 2
    classes[2, 2] = 7
    filtered = filter_majority(classes, 3)
    assert filtered[2, 2] == 0 and set(np.unique(filtered)) == {0, 2}
    np.testing.assert_array_equal(filtered[:, 6:], 2)
    np.testing.assert_array_equal(filter_majority(classes, 1), classes)


@pytest.mark.parametrize("script", ["01_synchronous_mode_recording.py", "02_fc_densenet.py", "03_inference.py"])
def test_help_lists_constants_with_their_comments(script):
    status, output = run_script(script, "--help", COLUMNS="200")
    constants = re.findall(r"^([A-Z_]+)\b.*=.*  # (.+)$", (ROOT / script).read_text(), re.MULTILINE)
    assert status == 0 and len(constants) >= 4
    text = re.sub(r"[\s│]+", " ", output)
    for name, comment in constants:
        assert f"--{name.lower().replace('_', '-')}" in text
        assert comment[:20] in text


def test_recorder_without_a_server_says_what_to_do():
    pytest.importorskip("carla")
    status, output = run_script("01_synchronous_mode_recording.py", "--host", "127.0.0.2", "--port", 1)
    assert status == 1 and "no CARLA server answers" in output and "Traceback" not in output


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
def test_training_runs_on_jax_where_tensorflow_cannot_be_imported(make_dataset, tmp_path):
    (tmp_path / "block" / "tensorflow").mkdir(parents=True)
    (tmp_path / "block" / "tensorflow" / "__init__.py").write_text("raise ModuleNotFoundError(name='tensorflow')")
    status, output = run_script(
        "02_fc_densenet.py", "--dataset", make_dataset(count=16), *TINY_NETWORK, "--epochs", 1,
        "--model", tmp_path / "n.keras",
        KERAS_BACKEND="jax", PYTHONPATH=str(tmp_path / "block"),
    )  # fmt: skip
    assert status == 0 and "mean IoU" in output, output


@pytest.mark.skipif(not CAMVID.is_dir(), reason="needs the CamVid images beside the project")
def test_real_street_images_pass_the_check():
    status, output = run_script("02_fc_densenet.py", "--dataset", CAMVID / "val", "--check")
    assert status == 0 and "images 101, problems 0" in output, output


def test_docs_name_the_columns_of_labels_csv():
    assert ",".join(COLUMNS) in (ROOT / "docs" / "datasets.md").read_text()
