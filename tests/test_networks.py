"""Tests that all networks share; those of a single network are in the file of its name."""

import importlib.util
import inspect
import os
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from segmentation.errors import UserError
from segmentation.labels.label_table import VOID
from segmentation.networks.registry import REGISTRY, Architecture, build_network, choose_recipe
from segmentation.recipes import LIGHT
from segmentation.training.compilation import compile_network
from tests.harness.networks import randomise, small_network
from tests.harness.processes import ROOT
from tests.harness.toy_dataset import street

ARCHITECTURES = get_args(Architecture)
WITH_WIDTH = [name for name in ARCHITECTURES if name != "fc_densenet"]  # which has a growth rate instead
every_network = pytest.mark.parametrize("architecture", ARCHITECTURES)


def streets(count, height=32, width=48):
    """Return images (count, height, width, 3) and masks (count, height, width)."""
    images, ids = zip(*(street(number, height, width) for number in range(count)), strict=True)
    return np.stack(images), np.array([VOID, 0, 1, 2, 2], np.uint8)[np.stack(ids)]


def trainable_parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def test_importing_the_registry_does_not_load_keras():
    code = "import sys, segmentation.networks.registry; print({'keras', 'tensorflow'} & {*sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True).stdout
    assert output.strip() == "set()"


@every_network
def test_the_registry_lists_exactly_the_variants_of_each_network(architecture):
    (builder,) = {entry.import_builder() for (name, _), entry in REGISTRY.items() if name == architecture}
    assert builder.__name__ == architecture
    assert [variant for name, variant in REGISTRY if name == architecture] == [*inspect.getmodule(builder).CONFIGS]


@pytest.mark.parametrize(
    ("architecture", "variant", "num_classes", "parameters"),
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
def test_published_networks_have_exactly_their_parameters(architecture, variant, num_classes, parameters):
    assert trainable_parameters(build_network(architecture, variant, num_classes)) == parameters


@every_network
def test_logits_have_the_size_of_the_image(architecture):
    network = small_network(architecture)
    for size in ((1, 1), (2, 7), (31, 33), (333, 257)):
        logits = network(np.zeros((1, *size, 3), np.uint8), training=False)
        assert tuple(logits.shape) == (1, *size, 3)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"


@every_network
@pytest.mark.parametrize("num_classes", [2, 150])
def test_any_number_of_classes(architecture, num_classes):
    network = small_network(architecture, num_classes)
    assert network(np.zeros((1, 16, 16, 3), np.uint8), training=False).shape[-1] == num_classes


@every_network
def test_the_gradient_reaches_every_weight(architecture):
    keras.utils.set_random_seed(1)  # of a few filters, all may be off with unlucky weights
    network = small_network(architecture)
    # With all outputs, auxiliary heads included. Not in training mode, where a bias before a norm has no gradient.
    plain = keras.Model(network.inputs, network.outputs)
    images, masks = streets(2)
    with tf.GradientTape() as tape:
        losses = [
            keras.ops.mean(keras.losses.sparse_categorical_crossentropy(masks % 3, logits, from_logits=True))
            for logits in tf.nest.flatten(plain([images], training=False))
        ]
    weights = network.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(losses, [w.value for w in weights]), strict=True):
        assert gradient is not None and np.abs(gradient).max() > 0, weight.path


@every_network
def test_a_saved_network_returns_the_same_logits(architecture, tmp_path):
    network = small_network(architecture)
    randomise(network)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    images, _ = streets(2)
    np.testing.assert_array_equal(loaded.predict_on_batch(images), network.predict_on_batch(images))


@every_network
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_returns_nearly_the_same_logits_in_float32(architecture, policy):
    network = small_network(architecture)
    randomise(network)
    images, _ = streets(2)
    expected = network(images, training=False)
    keras.config.set_dtype_policy(policy)
    try:
        mixed = small_network(architecture)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(network.get_weights())
    logits = mixed(images, training=False)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    # Not the largest difference: where two values of a pooling window are nearly equal, another position may win.
    assert np.corrcoef(np.ravel(logits), np.ravel(expected))[0, 1] > 0.95
    assert {layer.compute_dtype for layer in mixed.layers if "conv" in layer.name} == {policy.removeprefix("mixed_")}
    assert all(np.isfinite(output).all() for output in tf.nest.flatten(mixed(images, training=True)))


@every_network
def test_a_few_steps_on_eight_images_lower_the_loss(architecture):
    keras.utils.set_random_seed(1)
    network = small_network(architecture)
    recipe = replace(LIGHT, learning_rate=5e-3, schedule="step")
    compile_network(network, recipe, steps_per_epoch=12, epochs=1)
    images, masks = streets(8)
    weights = np.ones(masks.shape, np.float32)
    losses = [network.train_on_batch(images, masks, weights, return_dict=True)["loss"] for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0], losses


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
def test_jax_returns_the_same_logits_as_tensorflow(tmp_path):
    images, _ = streets(2, 33, 47)
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for architecture in ARCHITECTURES:
        network = small_network(architecture)
        randomise(network)
        network.save(tmp_path / f"{architecture}.keras")
        expected[architecture] = network.predict_on_batch(images)
    subprocess.run(
        [sys.executable, "-m", "tests.harness.load_on_jax", tmp_path],
        check=True, cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    for architecture, logits in expected.items():
        found = np.load(tmp_path / f"{architecture}.npy")
        assert np.abs(found - logits).max() < 1e-3 * np.abs(logits).max(), architecture


@pytest.mark.parametrize(
    ("architecture", "variant", "options", "words"),
    [
        *((name, "huge", {}, "--variant is huge; use one of light") for name in ARCHITECTURES),
        *((name, "light", {"width": 0.0}, "width is 0.0") for name in WITH_WIDTH),
        ("unet", "light", {"growth_rate": 3}, "--growth-rate is not for unet"),
        ("fc_densenet", "light", {"width": 0.5}, "--width is not for fc_densenet"),
    ],
)
def test_impossible_values_are_refused(architecture, variant, options, words):
    with pytest.raises(UserError, match=words):
        build_network(architecture, variant, 3, **options)


def test_an_unknown_variant_has_no_recipe():
    with pytest.raises(UserError, match="--variant is huge; use one of light, paper, batch_norm for unet"):
        choose_recipe("unet", "huge")


def test_changes_replace_the_values_of_a_recipe_unless_they_are_none():
    recipe = choose_recipe("unet", "light", optimizer="sgd", crop=None, dropout=0.1)
    assert recipe == replace(LIGHT, optimizer="sgd", dropout=0.1)


@pytest.mark.parametrize("architecture", WITH_WIDTH)
def test_a_narrower_network_has_fewer_parameters(architecture):
    light = build_network(architecture, "light", 3).count_params()
    assert build_network(architecture, "light", 3, width=0.05).count_params() < light / 2
