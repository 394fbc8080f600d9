from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from segmentation.networks.pooling_indices import MaxPoolingWithIndices, MaxUnpooling
from tests.gradients import gradient

REFERENCE = Path(__file__).parent / "reference" / "max_unpooling.npz"


def pool_and_unpool(x, **options):
    pooled, indices = MaxPoolingWithIndices(**options)(x)
    return pooled, indices, MaxUnpooling(**options)([pooled, indices, x])


@pytest.mark.parametrize("size", ["6x8", "7x9", "5x2", "2x7", "8x5"])
def test_values_places_and_gradients_are_pytorchs_even_with_ties(size):
    with np.load(REFERENCE) as file:
        case = {name.removeprefix(f"{size}_"): file[name] for name in file if name.startswith(size)}
    x, pooled_weights, unpooled_weights = (
        case[name].astype("float32") for name in ("x", "pooled_weights", "unpooled_weights")
    )
    for ours, name in zip(pool_and_unpool(x), ("pooled", "indices", "unpooled"), strict=True):
        np.testing.assert_array_equal(ours, case[name], err_msg=name)

    def weighted_sum(x):
        pooled, _, unpooled = pool_and_unpool(x)
        return ops.sum(pooled * pooled_weights) + ops.sum(unpooled * unpooled_weights)

    np.testing.assert_array_equal(gradient(weighted_sum, x), case["gradient"])


def looped(x):
    """The same by loops over windows: maxima, places and unpooled maps."""
    batch, height, width, maps = x.shape
    pooled = np.zeros((batch, height // 2, width // 2, maps), x.dtype)
    places = np.zeros(pooled.shape, int)
    unpooled = np.zeros_like(x)
    for b, i, j, c in np.ndindex(pooled.shape):
        window = x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].ravel().tolist()
        pooled[b, i, j, c] = max(window)
        places[b, i, j, c] = window.index(max(window))
        unpooled[b, 2 * i + places[b, i, j, c] // 2, 2 * j + places[b, i, j, c] % 2, c] = max(window)
    return pooled, places, unpooled


def test_gradient_is_the_numerical_one_of_a_plain_loop():
    random = np.random.default_rng(3)
    # Apart by 0.1 at least, so that a small step changes no winner.
    x = random.permutation(np.arange(1 * 5 * 4 * 2) / 10 - 2).reshape(1, 5, 4, 2)
    weights = random.normal(size=x.shape)

    def number(x):
        return np.sum(looped(x)[2] ** 2 * weights)

    numerical = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-4
        numerical[place] = (number(x + step) - number(x - step)) / 2e-4
    ours = gradient(lambda x: ops.sum(pool_and_unpool(x, dtype="float32")[2] ** 2 * weights.astype("float32")), x)
    assert np.count_nonzero(numerical) >= 2 * 2 * 2 - 1  # one a window, but for a value of 0
    np.testing.assert_allclose(ours, numerical, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_saved_network_of_unknown_size_loses_no_place_in_any_precision(policy, tmp_path):
    pictures = keras.Input((None, None, 3))
    network = keras.Model(pictures, pool_and_unpool(pictures, dtype=policy))
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    x = np.random.default_rng(0).integers(-99, 99, (2, 9, 14, 3)).astype("float32")  # exact in bfloat16
    for result, symbolic, expected in zip(loaded.predict_on_batch(x), network.outputs, looped(x), strict=True):
        np.testing.assert_array_equal(np.asarray(result).astype("float32"), expected)
        assert keras.backend.standardize_dtype(result.dtype) == symbolic.dtype
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    assert [output.dtype for output in network.outputs] == [compute_dtype, "int8", compute_dtype]
