import json
import os
import re
import signal
import zipfile
from contextlib import nullcontext
from dataclasses import replace

import keras
import numpy as np
import pytest

from segmentation.checkpoint import TrainedModel, load_model, save_model
from segmentation.errors import UserError
from segmentation.files.images import write_png
from segmentation.labels.label_table import VOID, parse_label_table
from segmentation.model_files import ModelFiles, newest_model
from segmentation.networks.fc_densenet import fc_densenet
from segmentation.networks.registry import choose_recipe
from segmentation.recipes import LIGHT
from segmentation.training.callbacks import RequireFinite, StopOnInterrupt
from segmentation.training.compilation import add_weight_decay, class_weights, compile_network, learning_rate_schedule
from segmentation.training.resume import resume
from segmentation.training.run_files import save_epoch
from tests.harness.scripts import TINY_NETWORK, Script, run_script
from tests.harness.toy_dataset import LABELS, street


@pytest.fixture
def tiny_model():
    network = fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4, dropout=0.0)
    compile_network(network, LIGHT, steps_per_epoch=10, epochs=1)
    return TrainedModel(network, parse_label_table(LABELS, "labels.csv"), (48, 32), history={"val_mean_iou": [0.25]})


def history_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("segmentation.json"))["history"]


def test_void_pixels_count_in_no_loss_and_no_metric(tiny_model):
    images = np.random.default_rng(0).integers(0, 255, (1, 32, 48, 3)).astype(np.uint8)
    truth = np.zeros((1, 32, 48), np.uint8)
    truth[:, :16] = VOID
    scores = tiny_model.network.predict_on_batch(images)
    loss, iou = tiny_model.network.evaluate(images, truth, verbose=0)
    counted = scores[0, 16:].reshape(-1, 3)
    log_softmax = counted - np.log(np.exp(counted).sum(-1, keepdims=True))
    assert loss == pytest.approx(-log_softmax[:, 0].mean(), rel=1e-4)
    predicted = counted.argmax(-1)
    present = [c for c in range(3) if c == 0 or (predicted == c).any()]
    assert iou == pytest.approx((predicted == 0).mean() / len(present), abs=1e-5)


def test_class_weights_raise_rare_classes_and_keep_the_mean():
    pixels = np.zeros(VOID + 1, np.int64)
    pixels[:3] = 900, 100, 0
    pixels[VOID] = 500
    assert class_weights(pixels, 0.0)[:2].tolist() == [1, 1]
    full = class_weights(pixels, 1.0)
    assert full[0] * 900 == pytest.approx(full[1] * 100)
    half = class_weights(pixels, 0.5)
    assert half[1] / half[0] == pytest.approx(3)
    assert (half[:2] @ pixels[:2]) / 1000 == pytest.approx(1)
    assert half[2] == half[VOID] == 0
    enet = class_weights(pixels, "log")
    assert enet[1] / enet[0] == pytest.approx(np.log(1.02 + 0.9) / np.log(1.02 + 0.1))


@pytest.mark.parametrize(
    ("architecture", "variant", "epochs", "rates"),
    [  # 100 steps per epoch: step -> rate at the start and at the ends of epochs, by the papers' rules
        ("fc_densenet", "103", 750, {0: 1e-3, 100: 0.995e-3, 1000: 0.995**10 * 1e-3}),
        ("enet", "paper", 300, {0: 5e-4, 9_999: 5e-4, 10_000: 5e-5, 20_000: 5e-6}),
        ("pspnet", "resnet50", 200, {0: 1e-2, 10_000: 1e-2 * 0.5**0.9, 20_000: 0}),
        ("deeplabv3plus", "resnet50", 300, {0: 7e-3, 15_000: 7e-3 * 0.5**0.9}),
        ("segnet", "paper", 100, {0: 1e-3, 9_999: 1e-3}),
        ("unet", "light", 10, {0: 0, 50: 1.5e-3, 525: 0.75e-3, 1000: 0}),
    ],
)
def test_learning_rate_follows_the_schedule_of_the_recipe(architecture, variant, epochs, rates):
    schedule = learning_rate_schedule(choose_recipe(architecture, variant), steps_per_epoch=100, epochs=epochs)
    for step, rate in rates.items():
        assert float(schedule(step)) == pytest.approx(rate, rel=1e-4, abs=1e-9)


def test_weight_decay_adds_a_share_of_the_kernel_to_its_gradient():
    network = fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4, dropout=0.0)
    recipe = choose_recipe("fc_densenet", "103", optimizer="sgd", learning_rate=1.0, weight_decay=0.01, schedule="step")
    images, classes = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8)
    before = network.get_weights()
    moved = []
    for decay in (False, True):
        network.set_weights(before)
        compile_network(network, recipe, steps_per_epoch=1, epochs=1)
        if decay:
            add_weight_decay(network, recipe)
        network.train_on_batch(images, classes)
        moved.append(network.get_weights())
    for weight, old, plain, decayed in zip(network.weights, before, *moved, strict=True):
        kernel = weight.path.endswith("kernel")
        np.testing.assert_allclose(plain - decayed, 0.01 * old if kernel else 0 * old, atol=1e-5, err_msg=weight.path)


def test_checkpoint_holds_everything_that_inference_needs(tiny_model, tmp_path):
    path = tmp_path / "model.keras"
    save_model(tiny_model, path)
    loaded = load_model(path)
    images = np.random.default_rng(0).integers(0, 255, (2, 30, 50, 3)).astype(np.uint8)
    np.testing.assert_allclose(
        loaded.network.predict_on_batch(images), tiny_model.network.predict_on_batch(images), rtol=1e-5, atol=1e-5
    )
    assert (loaded.label_table, loaded.size) == (tiny_model.label_table, (48, 32))
    assert loaded.best_score == 0.25
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    assert not loaded.network.compiled, "the optimizer's state would make the file three times as large"


def test_checkpoint_names_no_initializer_that_depends_on_the_version_of_keras(tiny_model, tmp_path):
    save_model(tiny_model, tmp_path / "net.keras")
    config = json.loads(zipfile.ZipFile(tmp_path / "net.keras").read("config.json"))
    layers = {layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]}
    assert {layer["kernel_initializer"]["class_name"] for layer in layers.values() if "filters" in layer} == {"Zeros"}
    saved, kept = load_model(tmp_path / "net.keras").network.get_weights(), tiny_model.network.get_weights()
    for found, expected in zip(saved, kept, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_network_trained_in_bfloat16_is_saved_in_float32(tiny_model, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4)
    finally:
        keras.config.set_dtype_policy("float32")
    tiny_model.network.set_weights(network.get_weights())
    save_model(replace(tiny_model, network=network), tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras").network
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    images = np.random.default_rng(0).integers(0, 255, (1, 30, 50, 3)).astype(np.uint8)
    expected = tiny_model.network.predict_on_batch(images)
    np.testing.assert_allclose(loaded.predict_on_batch(images), expected, rtol=1e-4, atol=1e-4)


def test_newest_model_is_the_best_checkpoint_of_the_last_training(tmp_path):
    for age, name in enumerate(("a_last", "a", "b_previous", "b", ".c.1.part")):
        (tmp_path / f"{name}.keras").touch()
        os.utime(tmp_path / f"{name}.keras", (1e9 - age, 1e9 - age))
    assert newest_model(tmp_path).name == "a.keras"
    with pytest.raises(UserError, match="contains no model"):
        newest_model(tmp_path / "empty")


def test_killed_and_resumed_training_equals_an_uninterrupted_one(make_dataset, tmp_path):
    folder = make_dataset(count=12)
    held_out = make_dataset(count=4, name="held_out", first=100)
    common = ("--dataset", folder, *TINY_NETWORK, "--epochs", 8, "--validation", held_out)
    common += ("--augment", "--dropout", "0.25")  # random operations must continue in the same way
    status, output = run_script("02_fc_densenet.py", *common, "--model", tmp_path / "whole" / "net.keras")
    assert status == 0, output
    uninterrupted = history_of(tmp_path / "whole" / "net_last.keras")

    model, last = tmp_path / "killed" / "net.keras", tmp_path / "killed" / "net_last.keras"
    with Script("02_fc_densenet.py", *common, "--model", model) as training:
        training.wait_until(last.exists, 240)
        training.kill()
    done = len(history_of(last)["loss"])
    assert 0 < done < 8
    image = folder / "rgb" / "rgb_00000000.png"
    content = image.read_bytes()
    write_png(image, street(200)[0])
    status, output = run_script("02_fc_densenet.py", *common, "--model", model, "--resume", "--seed", 7)
    assert status == 1 and "was trained with other settings (seed, images or labels)" in output
    image.write_bytes(content)
    status, output = run_script("02_fc_densenet.py", *common, "--model", model, "--resume")
    assert status == 0, output
    resumed = history_of(last)
    assert len(resumed["loss"]) == 8
    for name, values in uninterrupted.items():
        np.testing.assert_allclose(resumed[name], values, rtol=1e-3, atol=1e-3, err_msg=name)
    assert load_model(model).best_score == max(load_model(model).history["val_mean_iou"])
    assert load_model(model).best_score == pytest.approx(max(resumed["val_mean_iou"]))


def test_run_is_resumed_for_more_epochs(make_dataset, tmp_path):
    common = ("--dataset", make_dataset(), *TINY_NETWORK, "--model", tmp_path / "net.keras")
    assert run_script("02_fc_densenet.py", *common, "--epochs", 1)[0] == 0
    status, output = run_script("02_fc_densenet.py", *common, "--epochs", 3, "--resume")
    assert status == 0 and "from epoch 1 to 3 instead of 1: the learning rate continues at" in output, output
    trained = load_model(tmp_path / "net_last.keras", with_optimizer=True)
    assert trained.completed_epochs == 3 and trained.settings["epochs"] == "3"
    optimizer = trained.network.optimizer
    assert int(optimizer.iterations) == 6 and float(optimizer.learning_rate) == pytest.approx(0)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_learning_rate_of_a_resumed_run_follows_the_schedule_of_all_its_epochs(tiny_model, tmp_path, capsys, precision):
    files = ModelFiles(tmp_path / "net.keras")
    keras.config.set_dtype_policy(precision)
    try:
        network = fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4, dropout=0.0)
        compile_network(network, LIGHT, steps_per_epoch=10, epochs=2)
        trained = replace(
            tiny_model,
            network=network,
            settings={"epochs": "2"},
            history={"loss": [2.0, 1.0], "val_mean_iou": [0.25, 0.5]},
        )
        save_epoch(trained, files, improved=True)
        for epochs in (1, 2, 30):
            settings = {"epochs": str(epochs), "images or labels": "not compared, because the checkpoint has none"}
            with pytest.raises(UserError, match="--epochs is 1, but") if epochs == 1 else nullcontext():
                resumed = resume(files, settings, trained.label_table, LIGHT, steps_per_epoch=10)
    finally:
        keras.config.set_dtype_policy("float32")
    output = capsys.readouterr().out
    assert "net_last.keras already has its 2 epochs" in output and "only their names were compared" in output
    assert "from epoch 2 to 30 instead of 2: the learning rate continues at 0.0015 and ends at 0" in output
    optimizer = getattr(resumed.network.optimizer, "inner_optimizer", resumed.network.optimizer)
    optimizer.iterations.assign(100)
    expected = learning_rate_schedule(LIGHT, steps_per_epoch=10, epochs=30)(100)
    assert float(expected) > 1e-3 and float(resumed.network.optimizer.learning_rate) == pytest.approx(float(expected))


def test_ctrl_c_stops_training_and_keeps_the_best_model(make_dataset, tmp_path):
    model = tmp_path / "net.keras"
    flags = ("--dataset", make_dataset(), *TINY_NETWORK, "--epochs", 1000, "--model", model)
    with Script("02_fc_densenet.py", *flags) as training:
        training.wait_until(model.exists, 240)
        training.process.send_signal(signal.SIGINT)
        assert training.wait() == 0, training.output
    assert "Traceback" not in training.output and "mean IoU" in training.output and "--resume" in training.output
    assert load_model(model).history

    # A new training over it that is stopped in its first epoch leaves nothing: neither success nor the old one resumed.
    with Script("02_fc_densenet.py", *flags, "--seed", 2) as training:
        training.wait_until((tmp_path / "net_started.txt").exists, 240)
        status, output = run_script("02_fc_densenet.py", *flags, "--resume")
        assert status == 1 and "another training is writing it" in output
        training.process.send_signal(signal.SIGINT)
        assert training.wait() == 130 and "nothing is kept" in training.output, training.output
    status, output = run_script("02_fc_densenet.py", *flags, "--resume")
    assert status == 1 and "left nothing to continue" in output and "Traceback" not in output
    assert load_model(model).settings["seed"] == "1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_training_with_its_status_and_without_temporary_files(make_dataset, tmp_path, number):
    model = tmp_path / "models" / "net.keras"
    flags = ("--dataset", make_dataset(), *TINY_NETWORK, "--epochs", 1000, "--model", model)
    with Script("02_fc_densenet.py", *flags) as training:
        training.wait_until(lambda: model.exists() and list(model.parent.glob(".*.part*")), 240)
        training.process.send_signal(number)
        assert training.wait() == 128 + number and "Traceback" not in training.output
    assert load_model(model).history and load_model(model.with_name("net_last.keras"), with_optimizer=True).history
    assert not list(model.parent.glob(".*.part*"))


def test_training_that_diverges_stops_at_once_and_keeps_the_model_before(tiny_model, make_dataset, tmp_path):
    model = tmp_path / "net.keras"
    save_model(tiny_model, model)
    content = model.read_bytes()
    flags = ("--dataset", make_dataset(count=16), *TINY_NETWORK, "--epochs", 3, "--model", model, "--optimizer", "sgd")
    status, output = run_script("02_fc_densenet.py", *flags, "--learning-rate", "1e30")
    assert status == 1 and re.search(r"epoch 1, step [234]: the loss is (nan|inf)", output), output
    assert output.rstrip().endswith("nothing of this training is kept; train again with a lower --learning-rate")
    assert model.read_bytes() == content and not (tmp_path / "net_previous.keras").exists()


@pytest.mark.parametrize("name", ["loss", "val_mean_iou", "weight"])
def test_epoch_with_nan_is_never_saved(tiny_model, tmp_path, name):
    results = {"loss": 1.0, "mean_iou": 0.5, "val_loss": 1.0, "val_mean_iou": 0.5}
    if name == "weight":
        tiny_model.network.trainable_weights[0].assign(tiny_model.network.trainable_weights[0] * np.nan)
    else:
        results[name] = np.nan
    callback = RequireFinite(tiny_model, ModelFiles(tmp_path / "net.keras"))
    callback.set_model(tiny_model.network)
    tiny_model.network.stop_training = False
    with pytest.raises(UserError, match=rf"epoch 2: the {name}.* is nan; .*net.keras is the best network, of epoch 1"):
        callback.on_epoch_end(1, results)


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (["--batch-size", "many"], 2, "many"),
        (["--no-such-flag"], 2, "no-such-flag"),
        (["--resume"], 1, "net_last.keras: no such model"),
        (["--learning-rate", "nan"], 1, "--learning-rate is nan; use finite numbers"),
        (["--validation-share", "inf"], 1, "--validation-share is inf; use finite numbers"),
        (["--model", "net_last.keras"], 1, "names that end in _last or _previous belong to another model"),
        (["--validation-share", "2"], 1, "--validation-share is 2"),
        (["--model", "net"], 1, "must end in .keras"),
        (["--batch-size", "0"], 1, "--batch-size is 0"),
        (["--size", "240", "0"], 1, "--size is (240, 0)"),
        (["--groups", "0"], 1, "groups is 0"),
        (["--variant", "1000"], 1, "use one of light, 56, 67, 103"),
        (["--width", "0.5"], 1, "--width is not for fc_densenet"),
        (["--architecture", "lenet"], 2, "lenet"),
    ],
)
def test_wrong_flags_are_refused_in_one_sentence(make_dataset, tmp_path, flags, status, words):
    found, output = run_script(
        "02_fc_densenet.py", "--dataset", make_dataset(), "--model", tmp_path / "net.keras", *flags
    )
    assert found == status and words in output and "Traceback" not in output


def test_single_class_is_refused_before_training(make_dataset, tmp_path):
    folder = make_dataset()
    (folder / "labels.csv").write_text(re.sub("(Sky|Vehicle)$", "", LABELS, flags=re.MULTILINE))
    status, output = run_script("02_fc_densenet.py", "--dataset", folder, "--model", tmp_path / "net.keras")
    assert status == 1 and "Road is the only class in labels.csv" in output and "Traceback" not in output


def test_training_that_ends_before_its_first_step_leaves_the_handler_of_ctrl_c():
    handler = signal.getsignal(signal.SIGINT)
    StopOnInterrupt().on_train_end()  # Keras calls it alone if building the network fails
    assert signal.getsignal(signal.SIGINT) is handler
