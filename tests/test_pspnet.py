import keras
import numpy as np
import pytest
from keras import layers

from segmentation.backend import worth_compiling
from segmentation.checkpoint import for_inference
from segmentation.errors import UserError
from segmentation.labels.label_table import VOID
from segmentation.networks.layers import AdaptiveAveragePooling, ResizeLike
from segmentation.networks.pspnet import AuxiliaryModel, pspnet


@pytest.fixture(scope="module")
def network():
    return pspnet(3, width=0.05)


@pytest.fixture(scope="module")
def batch():
    """Return images, masks with void pixels, and weights of pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 19, 27, 3)).astype("uint8")
    masks = rng.integers(0, 3, (2, 19, 27)).astype("uint8")
    masks[:, :4] = VOID
    return images, masks, rng.uniform(0, 2, masks.shape).astype("float32")


def compiled(network):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=VOID, reduction="mean_with_sample_weight"
    )
    metric = keras.metrics.MeanIoU(3, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")
    network.compile(keras.optimizers.AdamW(1e-3), loss=loss, metrics=[metric], jit_compile=worth_compiling())
    return network


def cross_entropy(logits, masks, weights):
    """Return the weighted mean over the pixels that are not void."""
    logits = np.asarray(logits, np.float64)
    log_probability = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counted = masks != VOID
    chosen = np.take_along_axis(log_probability, np.where(counted, masks, 0)[..., None].astype(int), -1)[..., 0]
    return -(chosen * weights)[counted].sum() / weights[counted].sum()


@pytest.mark.parametrize(
    ("auxiliary", "num_classes", "trainable"),
    [(True, 11, 48_950_102), (False, 11, 46_587_467), (True, 19, 48_956_262), (False, 19, 46_591_571)],
)
def test_resnet50_has_exactly_its_published_parameters(auxiliary, num_classes, trainable):
    network = pspnet(num_classes, variant="resnet50", auxiliary=auxiliary)
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


def test_adaptive_pooling_in_half_precision_sums_in_float32():
    x = np.full((1, 300, 300, 1), 0.1, "float16")
    pooled = AdaptiveAveragePooling(1, dtype="float16")(x)
    assert keras.backend.standardize_dtype(pooled.dtype) == "float16"
    np.testing.assert_allclose(np.asarray(pooled, np.float32), np.float32(np.float16(0.1)), rtol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (13, 4)])
def test_resizing_interpolates_between_pixel_centres(size):
    image = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    resized = ResizeLike()([image[None, :, :, None], np.zeros((1, *size, 2), "float32")])
    for matrix_of, length in ((lambda m: m, size[0]), (np.transpose, size[1])):
        m = matrix_of(image)
        centres = np.clip((np.arange(length) + 0.5) * len(m) / length - 0.5, 0, len(m) - 1)
        image = matrix_of(np.stack([np.interp(centres, np.arange(len(m)), column) for column in m.T], axis=1))
    np.testing.assert_allclose(np.asarray(resized)[0, :, :, 0], image, atol=1e-5)


def small_auxiliary_model():
    """Build two heads on one convolution, which is faster than PSPNet and tests `AuxiliaryModel` as well."""
    images = keras.Input((None, None, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(images)))
    return AuxiliaryModel(images, [layers.Conv2D(3, 1, name="main")(x), layers.Conv2D(3, 1, name="auxiliary")(x)])


def mean_iou(logits, masks):
    counted = masks != VOID
    predictions = np.asarray(logits).argmax(-1)[counted]
    pairs = [(predictions == c, masks[counted] == c) for c in range(3)]
    return np.mean([(predicted & true).sum() / (predicted | true).sum() for predicted, true in pairs])


def test_both_heads_count_in_training_and_only_the_first_in_evaluation(batch):
    network = compiled(small_auxiliary_model())
    images, masks, weights = batch
    before = network.get_weights()
    logits, auxiliary = network(images, training=True)
    network.set_weights(before)  # the call changed the moving statistics
    inferred = network(images, training=False)
    assert inferred.shape == logits.shape == auxiliary.shape == (2, 19, 27, 3)
    assert network.output_shape == (None, None, None, 3)

    evaluated = network.evaluate(images, masks, sample_weight=weights, verbose=0, return_dict=True)
    assert set(evaluated) == {"loss", "mean_iou"}
    np.testing.assert_allclose(evaluated["loss"], cross_entropy(inferred, masks, weights), rtol=1e-4)
    np.testing.assert_allclose(network.predict(images, verbose=0), inferred, atol=1e-4)

    network.optimizer.weight_decay = 0.0  # weights must only change by their gradients
    history = network.fit(images, masks, sample_weight=weights, validation_data=batch, verbose=0).history
    assert set(history) == {"loss", "mean_iou", "val_loss", "val_mean_iou"}
    expected = cross_entropy(logits, masks, weights) + 0.4 * cross_entropy(auxiliary, masks, weights)
    np.testing.assert_allclose(history["loss"], [expected], rtol=1e-4)
    np.testing.assert_allclose(history["mean_iou"], [mean_iou(logits, masks)], rtol=1e-3)
    after = zip(before, network.get_weights(), network.weights, strict=True)
    assert [weight.path for old, new, weight in after if (old == new).all()] == []


def test_a_file_restores_both_heads_and_the_optimizer(batch, tmp_path):
    network = compiled(small_auxiliary_model())
    network.train_on_batch(*batch)
    network.save(tmp_path / "last.keras")
    loaded = keras.saving.load_model(tmp_path / "last.keras", safe_mode=True)
    loaded.jit_compile = worth_compiling()
    assert type(loaded) is AuxiliaryModel
    assert int(loaded.optimizer.iterations) == 1
    for model in (network, loaded):
        model.reset_metrics()
    expected, resumed = (model.train_on_batch(*batch, return_dict=True) for model in (network, loaded))
    np.testing.assert_allclose(resumed["loss"], expected["loss"], rtol=1e-3)
    for old, new in zip(network.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-4)


def test_the_network_for_inference_is_the_same_without_the_auxiliary_head(network, batch, tmp_path):
    assert type(network) is AuxiliaryModel and network(batch[0], training=True)[1].shape == (2, 19, 27, 3)
    best = for_inference(network)
    best.save(tmp_path / "best.keras")
    loaded = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    assert not any("auxiliary" in layer.name for layer in loaded.layers)
    assert loaded.output_shape == network.output_shape and loaded.name == network.name
    np.testing.assert_allclose(loaded.predict_on_batch(batch[0]), network.predict_on_batch(batch[0]), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"variant": "resnet18"}, {"width": 0}, {"width": float("nan")}])
def test_impossible_values_are_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        pspnet(3, **wrong)
