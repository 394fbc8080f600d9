import keras
import numpy as np
import pytest
from keras import layers

from segmentation.backend import worth_compiling
from segmentation.errors import UserError
from segmentation.labels import VOID
from segmentation.model_file import for_inference
from segmentation.networks.layers import AdaptiveAveragePooling, ResizeLike
from segmentation.networks.pspnet import AuxiliaryModel, pspnet


@pytest.fixture(scope="module")
def network():
    return pspnet(3, width=0.05)


@pytest.fixture(scope="module")
def batch():
    """Pictures, truth with void pixels, and weights of pixels."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (2, 19, 27, 3)).astype("uint8")
    truth = random.integers(0, 3, (2, 19, 27)).astype("uint8")
    truth[:, :4] = VOID
    return pictures, truth, random.uniform(0, 2, truth.shape).astype("float32")


def compiled(network):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=VOID, reduction="mean_with_sample_weight"
    )
    metric = keras.metrics.MeanIoU(3, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")
    network.compile(keras.optimizers.AdamW(1e-3), loss=loss, metrics=[metric], jit_compile=worth_compiling())
    return network


def cross_entropy(logits, truth, weights):
    """Mean over the pixels that are not void, by their weights."""
    scores = np.asarray(logits, np.float64)
    log_probability = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    counted = truth != VOID
    chosen = np.take_along_axis(log_probability, np.where(counted, truth, 0)[..., None].astype(int), -1)[..., 0]
    return -(chosen * weights)[counted].sum() / weights[counted].sum()


@pytest.mark.parametrize(
    ("auxiliary", "classes", "trainable"),
    [(True, 11, 48_950_102), (False, 11, 46_587_467), (True, 19, 48_956_262), (False, 19, 46_591_571)],
)
def test_resnet50_has_exactly_its_published_parameters(auxiliary, classes, trainable):
    network = pspnet(classes, variant="resnet50", auxiliary=auxiliary)
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == trainable


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (6, 12), (7, 13), (29, 45)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_adaptive_pooling_takes_the_mean_of_every_region(bins, height, width):
    x = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")
    pooled = np.asarray(AdaptiveAveragePooling(bins)(x))
    assert pooled.shape == (2, bins, bins, 3)
    for i in range(bins):
        rows = slice(int(np.floor(i * height / bins)), int(np.ceil((i + 1) * height / bins)))
        for j in range(bins):
            columns = slice(int(np.floor(j * width / bins)), int(np.ceil((j + 1) * width / bins)))
            np.testing.assert_allclose(pooled[:, i, j], x[:, rows, columns].mean((1, 2)), atol=1e-5)


def test_adaptive_pooling_of_half_precision_maps_sums_in_full():
    x = np.full((1, 300, 300, 1), 0.1, "float16")
    pooled = AdaptiveAveragePooling(1, dtype="float16")(x)
    assert keras.backend.standardize_dtype(pooled.dtype) == "float16"
    np.testing.assert_allclose(np.asarray(pooled, np.float32), np.float32(np.float16(0.1)), rtol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (13, 4)])
def test_resizing_interpolates_between_pixel_centres(size):
    maps = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    resized = ResizeLike()([maps[None, :, :, None], np.zeros((1, *size, 2), "float32")])
    for matrix_of, length in ((lambda m: m, size[0]), (np.transpose, size[1])):
        m = matrix_of(maps)
        centres = np.clip((np.arange(length) + 0.5) * len(m) / length - 0.5, 0, len(m) - 1)
        maps = matrix_of(np.stack([np.interp(centres, np.arange(len(m)), column) for column in m.T], axis=1))
    np.testing.assert_allclose(np.asarray(resized)[0, :, :, 0], maps, atol=1e-5)


def small_auxiliary_model():
    """Two heads on one convolution: what an `AuxiliaryModel` does is not PSPNet's alone, and takes seconds there."""
    pictures = keras.Input((None, None, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(pictures)))
    return AuxiliaryModel(pictures, [layers.Conv2D(3, 1, name="main")(x), layers.Conv2D(3, 1, name="auxiliary")(x)])


def mean_iou(logits, truth):
    counted = truth != VOID
    prediction = np.asarray(logits).argmax(-1)[counted]
    masks = [(prediction == c, truth[counted] == c) for c in range(3)]
    return np.mean([(mine & true).sum() / (mine | true).sum() for mine, true in masks])


def test_both_heads_count_in_training_and_one_alone_in_evaluation(batch):
    network = compiled(small_auxiliary_model())
    pictures, truth, weights = batch
    before = network.get_weights()
    logits, auxiliary = network(pictures, training=True)
    network.set_weights(before)  # the call moved the norms
    alone = network(pictures, training=False)
    assert alone.shape == logits.shape == auxiliary.shape == (2, 19, 27, 3)
    assert network.output_shape == (None, None, None, 3)

    evaluated = network.evaluate(pictures, truth, sample_weight=weights, verbose=0, return_dict=True)
    assert set(evaluated) == {"loss", "mean_iou"}
    np.testing.assert_allclose(evaluated["loss"], cross_entropy(alone, truth, weights), rtol=1e-4)
    np.testing.assert_allclose(network.predict(pictures, verbose=0), alone, atol=1e-4)

    network.optimizer.weight_decay = 0.0  # no weight may change but by its gradient
    history = network.fit(pictures, truth, sample_weight=weights, validation_data=batch, verbose=0).history
    assert set(history) == {"loss", "mean_iou", "val_loss", "val_mean_iou"}
    expected = cross_entropy(logits, truth, weights) + 0.4 * cross_entropy(auxiliary, truth, weights)
    np.testing.assert_allclose(history["loss"], [expected], rtol=1e-4)
    np.testing.assert_allclose(history["mean_iou"], [mean_iou(logits, truth)], rtol=1e-3)
    after = zip(before, network.get_weights(), network.weights, strict=True)
    assert [weight.path for old, new, weight in after if (old == new).all()] == []


def test_a_file_brings_back_both_heads_and_the_optimizer(batch, tmp_path):
    network = compiled(small_auxiliary_model())
    network.train_on_batch(*batch)
    network.save(tmp_path / "last.keras")
    loaded = keras.saving.load_model(tmp_path / "last.keras", safe_mode=True)
    loaded.jit_compile = worth_compiling()
    assert type(loaded) is AuxiliaryModel
    assert int(loaded.optimizer.iterations) == 1
    for one in (network, loaded):
        one.reset_metrics()
    expected, resumed = (one.train_on_batch(*batch, return_dict=True) for one in (network, loaded))
    np.testing.assert_allclose(resumed["loss"], expected["loss"], rtol=1e-3)
    for old, new in zip(network.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-4)


def test_the_network_for_inference_is_the_same_without_the_head(network, batch, tmp_path):
    assert type(network) is AuxiliaryModel and network(batch[0], training=True)[1].shape == (2, 19, 27, 3)
    best = for_inference(network)
    best.save(tmp_path / "best.keras")
    loaded = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    assert not any("auxiliary" in layer.name for layer in loaded.layers)
    assert loaded.output_shape == network.output_shape and loaded.name == network.name
    np.testing.assert_allclose(loaded.predict_on_batch(batch[0]), network.predict_on_batch(batch[0]), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"variant": "resnet18"}, {"width": 0}, {"width": float("nan")}])
def test_values_that_no_network_can_have_are_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        pspnet(3, **wrong)
