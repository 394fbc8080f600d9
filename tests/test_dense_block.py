"""The fast way through a dense block is the same function as the portable one."""

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the fast way is TensorFlow's")

from segmentation.networks import fused_kernels  # noqa: E402
from segmentation.networks.dense_block import DenseBlock  # noqa: E402
from segmentation.networks.fc_densenet import fc_densenet  # noqa: E402

WAYS = {"portable": {"path": "portable"}, "fast": {"path": "fast"}, "recomputing": {"path": "fast", "recompute": True}}


def make_block(shape, depth, growth_rate, kernel=3, dropout=0.0, policy="float32", path="fast", recompute=False):
    """A block whose weights and statistics no initialiser would give, the same for every way."""
    block = DenseBlock(depth, growth_rate, dropout, kernel, dtype=policy)
    block.path, block.recompute = path, recompute
    block.build(shape)
    random = np.random.default_rng(1)
    for weight in block.weights:
        if weight.dtype == "float32":
            positive = "variance" in weight.path or "gamma" in weight.path
            weight.assign(random.uniform(0.2, 1, weight.shape) if positive else 0.3 * random.normal(size=weight.shape))
    return block


def all_that_follows(block, shape, training):
    """New maps, gradients of the input and of every weight for a random upstream gradient, and the statistics."""
    random = np.random.default_rng(2)
    x = tf.constant(random.normal(0.5, 1, shape), tf.float32)
    upstream = tf.constant(random.normal(size=block.compute_output_shape(shape)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        new = tf.cast(block(x, training=training), tf.float32)
        number = tf.reduce_sum(new * upstream)
    gradients = tape.gradient(number, [x, *(weight.value for weight in block.trainable_weights)])
    names = ["new maps", "input", *(weight.path for weight in block.trainable_weights)]
    statistics = [weight for weight in block.non_trainable_weights if "moving" in weight.path]
    names += [weight.path for weight in statistics]
    return dict(zip(names, map(np.asarray, (new, *gradients, *statistics)), strict=True))


SHAPES = pytest.mark.parametrize(
    "sizes", [((2, 9, 7, 5), 3, 4), ((1, 16, 12, 36), 4, 12), ((3, 5, 4, 6), 1, 16), ((2, 8, 6, 9), 1, 5, 1)]
)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("way", ["fast", "recomputing"])
@SHAPES
def test_maps_gradients_and_statistics_equal_the_portable_ones(sizes, way, training):
    found, expected = (
        all_that_follows(make_block(*sizes, **WAYS[name]), sizes[0], training) for name in (way, "portable")
    )
    for (name, values), reference in zip(found.items(), expected.values(), strict=True):
        assert far(values, reference) <= 1e-4, name


@pytest.mark.parametrize("training", [False, True])
@SHAPES
def test_bfloat16_is_as_near_to_float32_as_the_portable_way_is(sizes, training):
    exact, found, portable = (
        all_that_follows(make_block(*sizes, policy=policy, path=path), sizes[0], training).values()
        for policy, path in (("float32", "portable"), ("mixed_bfloat16", "fast"), ("mixed_bfloat16", "portable"))
    )
    distances = np.array([[far(a, b) for a, b in zip(way, exact, strict=True)] for way in (found, portable)])
    assert distances[0].mean() <= 1.2 * distances[1].mean()
    assert distances[0].max() <= 1.5 * distances[1].max() < 0.5


def far(values, reference):
    """Largest difference, as a share of the largest value."""
    return np.abs(values - reference).max() / max(np.abs(reference).max(), 1e-3)


def test_the_gradient_is_that_of_small_changes():
    shape = (1, 4, 3, 3)
    block = make_block(shape, 2, 2)
    expected = all_that_follows(block, shape, training=True)
    upstream = np.random.default_rng(2)
    x, upstream = upstream.normal(0.5, 1, shape), upstream.normal(size=(1, 4, 3, 4))
    step = 1e-2
    for place in [(0, 0, 0, 0), (0, 2, 1, 2), (0, 3, 2, 1), (0, 1, 1, 0)]:
        changed = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * step
            changed.append(np.sum(np.asarray(block(moved.astype("float32"), training=True)) * upstream))
        slope = (changed[0] - changed[1]) / (2 * step)
        assert slope == pytest.approx(expected["input"][place], rel=0.05, abs=0.05)


def test_dropout_drops_its_share_and_enlarges_the_rest():
    shape = (4, 32, 32, 4)
    block = make_block(shape, 1, 8, dropout=0.25)
    plain = make_block(shape, 1, 8)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    dropped, whole = np.asarray(block(x, training=True)), np.asarray(plain(x, training=True))
    kept = dropped != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    assert np.ptp(kept.mean((0, 1, 2))) < 0.05, "all maps alike"
    np.testing.assert_allclose(dropped[kept], (whole / 0.75)[kept], rtol=1e-5)
    again = np.asarray(block(x, training=True)) != 0
    assert (again & kept).mean() == pytest.approx(0.75**2, abs=0.01), "another mask at the next step"
    plain(x, training=True)  # as many steps for the moving statistics
    np.testing.assert_allclose(block(x, training=False), plain(x, training=False), rtol=1e-5)


def test_the_same_seed_drops_the_same_and_any_place_is_like_another():
    x = tf.ones((1, 64, 64, 8))
    one, two, other = (
        np.asarray(fused_kernels.add_bias_and_drop([x], tf.zeros(8), tf.constant(seed, tf.uint32), 0.5)) > 0
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one, two)
    for shifted in (other, np.roll(one, 1, 1), np.roll(one, 1, 2), np.roll(one, 1, 3)):
        assert (shifted & one).mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("way", ["fast", "recomputing"])
def test_with_dropout_all_gradients_equal_the_portable_ones_under_the_same_mask(way, monkeypatch):
    shape, growth_rate, rate = (2, 9, 7, 5), 4, 0.3
    found = all_that_follows(make_block(shape, 3, growth_rate, dropout=rate, **WAYS[way]), shape, training=True)
    masks = np.split((found["new maps"] != 0) / (1 - rate), 3, axis=-1)
    portable = make_block(shape, 3, growth_rate, dropout=rate, path="portable")
    for dropout, mask in zip(portable.dropouts, masks, strict=True):
        assert 0.6 < (mask > 0).mean() < 0.8
        monkeypatch.setattr(dropout, "call", lambda x, mask=mask, **_: x * mask.astype("float32"))
    expected = all_that_follows(portable, shape, training=True)
    for (name, values), reference in zip(found.items(), expected.values(), strict=True):
        assert far(values, reference) <= 1e-4, name


def test_a_network_saved_from_one_way_gives_the_same_in_the_other(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (2, 33, 47, 3)).astype(np.uint8)
    scores = {}
    for path in ("portable", "fast"):
        keras.utils.set_random_seed(3)
        network = fc_densenet(3, groups=2, layers_per_block=2, growth_rate=4)
        set_path(network, path)
        network.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        network.train_on_batch(pictures, np.zeros(pictures.shape[:3], np.uint8))
        network.save(tmp_path / f"{path}.keras")
        scores[path] = network.predict_on_batch(pictures)
    for path, other in (("portable", "fast"), ("fast", "portable")):
        loaded = keras.saving.load_model(tmp_path / f"{path}.keras")
        set_path(loaded, other)
        np.testing.assert_allclose(loaded.predict_on_batch(pictures), scores[path], rtol=1e-3, atol=1e-3)


def set_path(network, path):
    blocks = [layer for layer in network.layers if isinstance(layer, DenseBlock)]
    assert len(blocks) == 5 + 2, "dense blocks and the layers of transitions down"
    for block in blocks:
        block.path = path
