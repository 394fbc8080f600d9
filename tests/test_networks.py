"""What all networks promise, tested alike; what one alone promises is in the file of its name."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from segmentation.errors import UserError
from segmentation.labels import VOID
from segmentation.networks.catalogue import BUILDERS, build_network
from segmentation.recipes import LIGHT
from segmentation.training import compile_network
from tests.conftest import ROOT, street

NARROW = {  # quicker to trace; in ENet's bottlenecks, of a quarter of the maps, ReLU must not close the only one
    "fc_densenet": {"groups": 2, "layers_per_block": 2, "growth_rate": 4},
    "enet": {"width": 0.25},
}
WITH_WIDTH = [name for name in BUILDERS if name != "fc_densenet"]  # that has a growth rate instead
every_network = pytest.mark.parametrize("architecture", BUILDERS)


def small_network(architecture, classes=3):
    return build_network(architecture, classes, "light", **NARROW.get(architecture, {"width": 0.05}))


def randomise(network):
    """Weights and statistics that no initialiser gives, so that none can be mixed up unseen."""
    random = np.random.default_rng(0)
    for weight in network.weights:
        if weight.dtype.startswith("float"):
            values = weight.numpy() + 0.05 * random.normal(size=weight.shape)
            weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)


def streets(count, height=32, width=48):
    """Pictures (count, height, width, 3) and class indices (count, height, width)."""
    pictures, ids = zip(*(street(number, height, width) for number in range(count)), strict=True)
    return np.stack(pictures), np.array([VOID, 0, 1, 2, 2], np.uint8)[np.stack(ids)]


def trainable_parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.parametrize(
    ("architecture", "variant", "classes", "parameters"),
    [
        ("fc_densenet", "56", 11, 1_376_795),
        ("fc_densenet", "67", 11, 3_463_243),
        ("fc_densenet", "103", 11, 9_322_091),
        ("fc_densenet", "light", 13, 713_580),
        ("unet", "paper", 11, 31_032_395),
        ("unet", "batch_norm", 11, 31_044_171),
        ("segnet", "paper", 11, 29_449_355),
        ("segnet", "paper", 13, 29_450_509),
        ("pspnet", "resnet50", 11, 48_950_102),
        ("deeplabv3plus", "xception65", 11, 41_052_843),
        ("deeplabv3plus", "xception65", 21, 41_055_413),
        ("deeplabv3plus", "resnet50", 11, 40_349_611),
        ("deeplabv3plus", "resnet50", 19, 40_351_667),
        ("enet", "paper", 11, 363_791),
        ("enet", "paper", 13, 363_921),
        ("enet", "paper", 19, 364_311),
    ],
)
def test_published_networks_have_exactly_their_parameters(architecture, variant, classes, parameters):
    assert trainable_parameters(build_network(architecture, classes, variant)) == parameters


@every_network
def test_scores_have_the_size_of_the_picture(architecture):
    network = small_network(architecture)
    for size in ((1, 1), (2, 7), (31, 33), (333, 257)):
        scores = network(np.zeros((1, *size, 3), np.uint8), training=False)
        assert tuple(scores.shape) == (1, *size, 3)
        assert keras.backend.standardize_dtype(scores.dtype) == "float32"


@every_network
@pytest.mark.parametrize("classes", [2, 150])
def test_any_number_of_classes(architecture, classes):
    network = small_network(architecture, classes)
    assert network(np.zeros((1, 16, 16, 3), np.uint8), training=False).shape[-1] == classes


@every_network
def test_the_gradient_reaches_every_weight(architecture):
    network = small_network(architecture)
    # Heads that exist for training alone count too; moving statistics, or a bias before a norm would have no effect.
    plain = keras.Model(network.inputs, network.outputs)
    pictures, classes = streets(2)
    with tf.GradientTape() as tape:
        losses = [
            keras.ops.mean(keras.losses.sparse_categorical_crossentropy(classes % 3, scores, from_logits=True))
            for scores in tf.nest.flatten(plain([pictures], training=False))
        ]
    weights = network.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(losses, [w.value for w in weights]), strict=True):
        assert gradient is not None and np.abs(gradient).max() > 0, weight.path


@every_network
def test_a_saved_network_gives_the_same_scores(architecture, tmp_path):
    network = small_network(architecture)
    randomise(network)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    pictures, _ = streets(2)
    np.testing.assert_array_equal(loaded.predict_on_batch(pictures), network.predict_on_batch(pictures))


@every_network
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_nearly_the_same_scores_in_float32(architecture, policy):
    network = small_network(architecture)
    randomise(network)
    pictures, _ = streets(2)
    expected = network(pictures, training=False)
    keras.config.set_dtype_policy(policy)
    try:
        mixed = small_network(architecture)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(network.get_weights())
    scores = mixed(pictures, training=False)
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    # Not the largest difference: where two values of a pooling window are nearly equal, another place may win.
    assert np.corrcoef(np.ravel(scores), np.ravel(expected))[0, 1] > 0.95
    assert {layer.compute_dtype for layer in mixed.layers if "conv" in layer.name} == {policy.removeprefix("mixed_")}
    assert all(np.isfinite(out).all() for out in tf.nest.flatten(mixed(pictures, training=True)))


@every_network
def test_a_few_steps_on_eight_pictures_lower_the_loss(architecture):
    keras.utils.set_random_seed(1)
    network = small_network(architecture)
    recipe = replace(LIGHT, learning_rate=5e-3, schedule="step")
    compile_network(network, recipe, steps_per_epoch=12, epochs=1)
    pictures, classes = streets(8)
    weights = np.ones(classes.shape, np.float32)
    losses = [network.train_on_batch(pictures, classes, weights, return_dict=True)["loss"] for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0], losses


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
def test_jax_gives_the_same_scores_as_tensorflow(tmp_path):
    pictures, _ = streets(2, 33, 47)
    np.save(tmp_path / "pictures.npy", pictures)
    expected = {}
    for architecture in BUILDERS:
        network = small_network(architecture)
        randomise(network)
        network.save(tmp_path / f"{architecture}.keras")
        expected[architecture] = network.predict_on_batch(pictures)
    subprocess.run(
        [sys.executable, "-m", "tests.load_on_jax", tmp_path],
        check=True, cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    for architecture, scores in expected.items():
        found = np.load(tmp_path / f"{architecture}.npy")
        assert np.abs(found - scores).max() < 1e-3 * np.abs(scores).max(), architecture


@pytest.mark.parametrize(
    ("architecture", "variant", "options", "words"),
    [
        *((name, "huge", {}, "'huge': no such") for name in BUILDERS),
        *((name, "light", {"width": 0.0}, "width is 0.0") for name in WITH_WIDTH),
        ("unet", "light", {"growth_rate": 3}, "--growth-rate is not for unet"),
        ("fc_densenet", "light", {"width": 0.5}, "--width is not for fc_densenet"),
    ],
)
def test_what_no_network_can_have_is_refused(architecture, variant, options, words):
    with pytest.raises(UserError, match=words):
        build_network(architecture, 3, variant, **options)


@pytest.mark.parametrize("architecture", WITH_WIDTH)
def test_a_narrower_network_has_fewer_parameters(architecture):
    light = build_network(architecture, 3, "light").count_params()
    assert build_network(architecture, 3, "light", width=0.05).count_params() < light / 2
