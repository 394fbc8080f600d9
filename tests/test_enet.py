import keras
import numpy as np
import pytest

from segmentation.networks.enet import bottleneck, bottleneck_down, bottleneck_up, context_stage, enet, relu
from tests.harness.gradients import gradient

# How far the bottlenecks of stages 2 and 3 see to every side by the paper's table: half of the kernel times the
# dilation, in this order: regular, dilated 2, asymmetric 5, dilated 4, regular, dilated 8, asymmetric 5, dilated 16.
STAGE_REACH = 1 + 2 + 2 + 4 + 1 + 8 + 2 + 16


@pytest.mark.parametrize("stages", [[2], [3], [2, 3]])
def test_context_stages_see_exactly_as_far_as_in_the_papers_table(stages):
    x = start = keras.Input((None, None, 8))
    for stage in stages:
        x = context_stage(x, stage)
    network = keras.Model(start, x)
    reach = STAGE_REACH * len(stages)
    margin = 5
    centre = reach + margin
    features = np.random.default_rng(0).normal(size=(1, 2 * centre + 1, 2 * centre + 1, 8)).astype("float32")
    seen = gradient(lambda x: keras.ops.sum(network(x, training=False)[0, centre, centre]), features)
    rows = np.flatnonzero(np.any(seen != 0, axis=(0, 2, 3)))
    columns = np.flatnonzero(np.any(seen != 0, axis=(0, 1, 3)))
    expected = np.arange(margin, margin + 2 * reach + 1)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(columns, expected)


def with_constant_branch(start, outputs, constant):
    """Build a network whose bottleneck's branch outputs `constant` everywhere, whatever its input."""
    network = keras.Model(start, outputs)
    (last_norm,) = (layer for layer in network.layers if layer.name.endswith("expansion_norm"))
    last_norm.gamma.assign(np.zeros(last_norm.gamma.shape))
    last_norm.beta.assign(np.full(last_norm.beta.shape, constant))
    return network


def leaky(x):
    return np.where(x < 0, 0.25 * x, x)


@pytest.mark.parametrize("kind", [{}, {"dilation": 2}, {"asymmetric": 5}, {"activation": relu}])
def test_bottleneck_adds_its_branch_unactivated_and_activates_the_sum(kind):
    start = keras.Input((None, None, 4))
    network = with_constant_branch(start, bottleneck(start, "b", **kind), -0.5)
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 4)).astype("float32")
    expected = np.maximum(x - 0.5, 0) if kind.get("activation") else leaky(x - 0.5)
    np.testing.assert_allclose(network(x, training=False), expected, rtol=1e-5, atol=1e-6)


def test_downsampling_adds_its_branch_to_maxima_and_zeros():
    start = keras.Input((None, None, 4))
    network = with_constant_branch(start, bottleneck_down(start, 12, "b", dropout=0.1)[0], -0.5)
    x = np.random.default_rng(0).normal(size=(2, 6, 8, 4)).astype("float32")
    maxima = x.reshape(2, 3, 2, 4, 2, 4).max(axis=(2, 4))
    skip = np.concatenate([maxima, np.zeros((2, 3, 4, 8))], axis=-1)
    np.testing.assert_allclose(network(x, training=False), leaky(skip - 0.5), rtol=1e-5, atol=1e-6)


def test_upsampling_puts_its_skip_where_downsampling_found_its_maxima():
    large, small = keras.Input((None, None, 4)), keras.Input((None, None, 8))
    _, pool = bottleneck_down(large, 8, "down", dropout=0)
    network = with_constant_branch([large, small], bottleneck_up(small, 4, pool, "up"), 0.5)
    chosen = np.array([5, 0, 3, 6])  # the skip's convolution selects these channels
    network.get_layer("up_skip").kernel.assign(np.eye(8)[:, chosen][None, None])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 4, 6, 4)).astype("float32"), rng.uniform(1, 2, (1, 2, 3, 8)).astype("float32")
    is_maximum = x == x.reshape(1, 2, 2, 3, 2, 4).max(axis=(2, 4)).repeat(2, axis=1).repeat(2, axis=2)
    skip = y[..., chosen].repeat(2, axis=1).repeat(2, axis=2) / np.sqrt(1 + 1e-3)  # the norm's epsilon
    expected = np.where(is_maximum, skip, 0) + 0.5
    np.testing.assert_allclose(network([x, y], training=False), expected, rtol=1e-5, atol=1e-6)


def test_stages_have_the_papers_sizes_channels_and_dropout():
    network = enet(11, variant="paper")
    stages = [
        ("initial_prelu", 2, 16),  # name, stride, channels
        ("bottleneck_1_4", 4, 64),
        ("bottleneck_2_8", 8, 128),
        ("bottleneck_3_8", 8, 128),
        ("bottleneck_4_2", 4, 64),
        ("bottleneck_5_1", 2, 16),
        ("class_scores", 1, 11),
    ]
    outputs = keras.Model(network.input, [network.get_layer(name).output for name, _, _ in stages])(
        np.zeros((1, 64, 32, 3))
    )
    expected = [(1, 64 // stride, 32 // stride, channels) for _, stride, channels in stages]
    assert [tuple(output.shape) for output in outputs] == expected
    rates = {layer.name: layer.rate for layer in network.layers if layer.name.endswith("_dropout")}
    assert rates == {
        **{f"bottleneck_1_{number}_dropout": 0.01 for number in range(5)},
        **{f"bottleneck_{stage}_{number}_dropout": 0.1 for stage in (2, 3) for number in range(1, 9)},
        "bottleneck_2_0_dropout": 0.1,
    }
