from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling
from tests.harness.gradients import gradient

REFERENCE = Path(__file__).parent / "reference" / "max_unpooling.npz"


def pool_and_unpool(x, **options):
    pooled, indices = MaxPoolingWithIndices(**options)(x)
    return pooled, indices, MaxUnpooling(**options)([pooled, indices, x])


@pytest.mark.parametrize("size", ["6x8", "7x9", "5x2", "2x7", "8x5"])
def test_values_positions_and_gradients_equal_pytorchs_even_with_ties(size):
    with np.load(REFERENCE) as file:
        case = {name.removeprefix(f"{size}_"): file[name] for name in file if name.startswith(size)}
    x, pooled_weights, unpooled_weights = (
        case[name].astype("float32") for name in ("x", "pooled_weights", "unpooled_weights")
    )
    for found, name in zip(pool_and_unpool(x), ("pooled", "indices", "unpooled"), strict=True):
        np.testing.assert_array_equal(found, case[name], err_msg=name)

    def weighted_sum(x):
        pooled, _, unpooled = pool_and_unpool(x)
        return ops.sum(pooled * pooled_weights) + ops.sum(unpooled * unpooled_weights)

    np.testing.assert_array_equal(gradient(weighted_sum, x), case["gradient"])


def pool_and_unpool_by_loops(x):
    """Compute maxima, positions and unpooled features window by window."""
    batch, height, width, channels = x.shape
    pooled = np.zeros((batch, height // 2, width // 2, channels), x.dtype)
    positions = np.zeros(pooled.shape, int)
    unpooled = np.zeros_like(x)
    for b, i, j, c in np.ndindex(pooled.shape):
        window = x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].ravel().tolist()
        pooled[b, i, j, c] = max(window)
        positions[b, i, j, c] = window.index(max(window))
        unpooled[b, 2 * i + positions[b, i, j, c] // 2, 2 * j + positions[b, i, j, c] % 2, c] = max(window)
    return pooled, positions, unpooled


def test_the_gradient_equals_the_numerical_one_of_loops():
    rng = np.random.default_rng(3)
    # At least 0.1 apart, so that a small step changes no winner.
    x = rng.permutation(np.arange(1 * 5 * 4 * 2) / 10 - 2).reshape(1, 5, 4, 2)
    weights = rng.normal(size=x.shape)

    def weighted_sum(x):
        return np.sum(pool_and_unpool_by_loops(x)[2] ** 2 * weights)

    numerical = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-4
        numerical[index] = (weighted_sum(x + step) - weighted_sum(x - step)) / 2e-4
    found = gradient(lambda x: ops.sum(pool_and_unpool(x, dtype="float32")[2] ** 2 * weights.astype("float32")), x)
    assert np.count_nonzero(numerical) >= 2 * 2 * 2 - 1  # one per window; a value of 0 has none
    np.testing.assert_allclose(found, numerical, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_saved_network_of_unknown_size_is_exact_in_any_precision(policy, tmp_path):
    images = keras.Input((None, None, 3))
    network = keras.Model(images, pool_and_unpool(images, dtype=policy))
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    x = np.random.default_rng(0).integers(-99, 99, (2, 9, 14, 3)).astype("float32")  # exact in bfloat16
    results, expected = loaded.predict_on_batch(x), pool_and_unpool_by_loops(x)
    for result, symbolic, values in zip(results, network.outputs, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(result).astype("float32"), values)
        assert keras.backend.standardize_dtype(result.dtype) == symbolic.dtype
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    assert [output.dtype for output in network.outputs] == [compute_dtype, "int8", compute_dtype]
