"""The fast implementation of a dense block computes the same function as the portable one."""

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the fast implementation needs TensorFlow")

from segmentation.networks import fast_dense_block, fused_kernels  # noqa: E402
from segmentation.networks.dense_block import DenseBlock, set_dense_block_implementation  # noqa: E402
from segmentation.networks.fc_densenet import fc_densenet  # noqa: E402

IMPLEMENTATIONS = {  # arguments of `make_block`
    "portable": {"implementation": "portable"},
    "fast": {"implementation": "fast"},
    "recomputing": {"implementation": "fast", "recompute": True},
}


def make_block(
    shape,
    depth,
    growth_rate,
    kernel_size=3,
    dropout=0.0,
    policy="float32",
    implementation="fast",
    recompute=False,
):
    """Build a block with random weights and statistics, the same for every implementation."""
    block = DenseBlock(depth, growth_rate, dropout, kernel_size, dtype=policy)
    block.implementation, block.recompute = implementation, recompute
    block.build(shape)
    rng = np.random.default_rng(1)
    for weight in block.weights:
        if weight.dtype == "float32":
            positive = "variance" in weight.path or "gamma" in weight.path
            weight.assign(rng.uniform(0.2, 1, weight.shape) if positive else 0.3 * rng.normal(size=weight.shape))
    return block


def run_block(block, shape, training):
    """Return new features, gradients of input and weights for a random upstream gradient, and moving statistics."""
    rng = np.random.default_rng(2)
    x = tf.constant(rng.normal(0.5, 1, shape), tf.float32)
    upstream = tf.constant(rng.normal(size=block.compute_output_shape(shape)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        new = tf.cast(block(x, training=training), tf.float32)
        weighted_sum = tf.reduce_sum(new * upstream)
    gradients = tape.gradient(weighted_sum, [x, *(weight.value for weight in block.trainable_weights)])
    names = ["new features", "input", *(weight.path for weight in block.trainable_weights)]
    statistics = [weight for weight in block.non_trainable_weights if "moving" in weight.path]
    names += [weight.path for weight in statistics]
    return dict(zip(names, map(np.asarray, (new, *gradients, *statistics)), strict=True))


SHAPES = pytest.mark.parametrize(
    "sizes", [((2, 9, 7, 5), 3, 4), ((1, 16, 12, 36), 4, 12), ((3, 5, 4, 6), 1, 16), ((2, 8, 6, 9), 1, 5, 1)]
)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("implementation", ["fast", "recomputing"])
@SHAPES
def test_features_gradients_and_statistics_equal_the_portable_ones(sizes, implementation, training):
    found, expected = (
        run_block(make_block(*sizes, **IMPLEMENTATIONS[name]), sizes[0], training)
        for name in (implementation, "portable")
    )
    for (name, values), reference in zip(found.items(), expected.values(), strict=True):
        assert distance(values, reference) <= 1e-4, name


@pytest.mark.parametrize("training", [False, True])
@SHAPES
def test_bfloat16_is_as_close_to_float32_as_the_portable_implementation_is(sizes, training):
    exact, fast, portable = (
        run_block(make_block(*sizes, policy=policy, implementation=implementation), sizes[0], training).values()
        for policy, implementation in (
            ("float32", "portable"),
            ("mixed_bfloat16", "fast"),
            ("mixed_bfloat16", "portable"),
        )
    )
    distances = np.array([[distance(*pair) for pair in zip(found, exact, strict=True)] for found in (fast, portable)])
    assert distances[0].mean() <= 1.2 * distances[1].mean()
    assert distances[0].max() <= 1.5 * distances[1].max() < 0.5


def distance(values, reference):
    """Return the largest difference, as a share of the largest value."""
    return np.abs(values - reference).max() / max(np.abs(reference).max(), 1e-3)


def test_the_gradient_equals_the_numerical_one():
    shape = (1, 4, 3, 3)
    block = make_block(shape, 2, 2)
    expected = run_block(block, shape, training=True)
    rng = np.random.default_rng(2)  # as in `run_block`
    x, upstream = rng.normal(0.5, 1, shape), rng.normal(size=(1, 4, 3, 4))
    step = 1e-2
    for index in [(0, 0, 0, 0), (0, 2, 1, 2), (0, 3, 2, 1), (0, 1, 1, 0)]:
        sums = []
        for sign in (1, -1):
            changed = x.copy()
            changed[index] += sign * step
            sums.append(np.sum(np.asarray(block(changed.astype("float32"), training=True)) * upstream))
        slope = (sums[0] - sums[1]) / (2 * step)
        assert slope == pytest.approx(expected["input"][index], rel=0.05, abs=0.05)


def test_dropout_drops_its_share_and_enlarges_the_rest():
    shape = (4, 32, 32, 4)
    block = make_block(shape, 1, 8, dropout=0.25)
    plain = make_block(shape, 1, 8)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    dropped, whole = np.asarray(block(x, training=True)), np.asarray(plain(x, training=True))
    kept = dropped != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    assert np.ptp(kept.mean((0, 1, 2))) < 0.05, "all channels alike"
    np.testing.assert_allclose(dropped[kept], (whole / 0.75)[kept], rtol=1e-5)
    again = np.asarray(block(x, training=True)) != 0
    assert (again & kept).mean() == pytest.approx(0.75**2, abs=0.01), "another mask at the next step"
    plain(x, training=True)  # as many steps for the moving statistics
    np.testing.assert_allclose(block(x, training=False), plain(x, training=False), rtol=1e-5)


def test_equal_seeds_drop_equally_and_positions_are_independent():
    x = tf.ones((1, 64, 64, 8))
    one, two, other = (
        np.asarray(fused_kernels.add_bias_and_dropout([x], tf.zeros(8), tf.constant(seed, tf.uint32), 0.5)) > 0
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one, two)
    for shifted in (other, np.roll(one, 1, 1), np.roll(one, 1, 2), np.roll(one, 1, 3)):
        assert (shifted & one).mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("implementation", ["fast", "recomputing"])
def test_with_dropout_all_gradients_equal_the_portable_ones_under_the_same_mask(implementation, monkeypatch):
    shape, growth_rate, rate = (2, 9, 7, 5), 4, 0.3
    block = make_block(shape, 3, growth_rate, dropout=rate, **IMPLEMENTATIONS[implementation])
    found = run_block(block, shape, training=True)
    masks = np.split((found["new features"] != 0) / (1 - rate), 3, axis=-1)
    portable = make_block(shape, 3, growth_rate, dropout=rate, implementation="portable")
    for dropout, mask in zip(portable.dropouts, masks, strict=True):
        assert 0.6 < (mask > 0).mean() < 0.8
        monkeypatch.setattr(dropout, "call", lambda x, mask=mask, **_: x * mask.astype("float32"))
    expected = run_block(portable, shape, training=True)
    for (name, values), reference in zip(found.items(), expected.values(), strict=True):
        assert distance(values, reference) <= 1e-4, name


def small_network():
    network = fc_densenet(3, groups=2, layers_per_block=2, growth_rate=4)
    network.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return network


def dense_blocks(network):
    blocks = [layer for layer in network.layers if isinstance(layer, DenseBlock)]
    assert len(blocks) == 5 + 2, "dense blocks and the layers of transitions down"
    return blocks


def test_a_network_saved_with_one_implementation_returns_the_same_with_the_other(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (2, 33, 47, 3)).astype(np.uint8)
    logits = {}
    for implementation in ("portable", "fast"):
        keras.utils.set_random_seed(3)
        network = small_network()
        set_dense_block_implementation(network, implementation)
        network.train_on_batch(images, np.zeros(images.shape[:3], np.uint8))
        network.save(tmp_path / f"{implementation}.keras")
        logits[implementation] = network.predict_on_batch(images)
    for implementation, other in (("portable", "fast"), ("fast", "portable")):
        loaded = keras.saving.load_model(tmp_path / f"{implementation}.keras")
        assert {block.implementation for block in dense_blocks(loaded)} == {"auto"}, "not part of the file"
        set_dense_block_implementation(loaded, other)
        np.testing.assert_allclose(loaded.predict_on_batch(images), logits[implementation], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("implementation", "recompute"), [("portable", False), ("fast", False), ("fast", True)])
def test_what_is_set_after_building_or_loading_decides_how_a_network_is_trained(
    implementation, recompute, tmp_path, monkeypatch
):
    calls = []

    def train(x, layers, dropout, epsilon, recompute, train=fast_dense_block.train):
        calls.append(recompute)
        return train(x, layers, dropout, epsilon, recompute)

    monkeypatch.setattr(fast_dense_block, "train", train)
    network = small_network()
    network.save(tmp_path / "network.keras")
    images, masks = np.zeros((2, 48, 48, 3), np.uint8), np.zeros((2, 48, 48), np.uint8)
    for model in (network, keras.saving.load_model(tmp_path / "network.keras")):
        calls.clear()
        set_dense_block_implementation(model, implementation, recompute)
        model.fit(images, masks, batch_size=2, verbose=0)
        assert {*calls} == ({recompute} if implementation == "fast" else set())


def test_a_setting_of_one_network_does_not_change_others():
    one, other = small_network(), small_network()
    set_dense_block_implementation(one, "portable", recompute=True)
    assert {(block.implementation, block.recompute) for block in dense_blocks(one)} == {("portable", True)}
    assert {(block.implementation, block.recompute) for block in dense_blocks(other)} == {("auto", False)}
