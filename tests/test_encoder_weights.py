import keras
import numpy as np
import pytest
from keras import layers

from segmentation.errors import UserError
from segmentation.networks import encoder_weights
from segmentation.networks.deeplabv3plus import deeplabv3plus
from segmentation.networks.encoder_weights import IMAGENET_MEAN, load_encoder_weights, xception_separables
from segmentation.networks.layers import preprocess
from segmentation.networks.pspnet import pspnet
from segmentation.networks.resnet import resnet50
from segmentation.networks.xception import xception65

IMAGES = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype("float32")


def randomise(model):
    """Change biases and norms, which do nothing in a new model, so that losing any of them shows."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.7, 1.3, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(rng.normal(0, 0.2, weight.shape))
    return model


@pytest.fixture(scope="module")
def resnet50_original(tmp_path_factory):
    """Return the model and the path of its file."""
    original = randomise(keras.applications.ResNet50(weights=None, include_top=False))
    file = tmp_path_factory.mktemp("resnet50") / "resnet50.keras"
    original.save(file)
    return original, str(file)


def outputs(model, names):
    return keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])


def assert_close(found, expected, names):
    for name, value, original in zip(names, found, expected, strict=True):
        value, original = np.asarray(value), np.asarray(original)
        assert original.std() > 0
        np.testing.assert_allclose(value, original, atol=1e-4 * np.abs(original).max(), err_msg=name)


def encoder_only(build, mean=None, **settings):
    images = keras.Input((None, None, 3))
    stages = build(preprocess(images, 32, mean), output_stride=32, **settings)
    return keras.Model(images, list(stages.values()))


def vgg16_encoder():
    """Build an encoder like SegNet's: VGG16's layer names, with a norm after every convolution."""
    x = images = keras.Input((None, None, 3))
    x = preprocess(x, 32, IMAGENET_MEAN)
    for block, (depth, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for index in range(1, depth + 1):
            name = f"block{block}_conv{index}"
            x = layers.Conv2D(filters, 3, padding="same", name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(images, x)


def test_every_layer_of_vgg16_equals_the_original(tmp_path):
    original = randomise(keras.applications.VGG16(weights=None, include_top=False))
    original.save_weights(tmp_path / "vgg.weights.h5")
    network = randomise(vgg16_encoder())
    load_encoder_weights(network, "vgg16", str(tmp_path / "vgg.weights.h5"))
    names = [layer.name for layer in original.layers if "conv" in layer.name]
    assert len(names) == 13
    expected = outputs(original, names)(keras.applications.vgg16.preprocess_input(IMAGES.copy()))
    assert_close(outputs(network, [f"{name}_relu" for name in names])(IMAGES), expected, names)


def test_every_block_of_resnet50_equals_the_original(resnet50_original):
    original, file = resnet50_original
    network = randomise(encoder_only(resnet50, IMAGENET_MEAN))
    load_encoder_weights(network, "resnet50", file)
    names = ["conv1_relu", *(layer.name for layer in original.layers if layer.name.endswith("_out"))]
    assert len(names) == 17
    expected = outputs(original, names)(keras.applications.resnet.preprocess_input(IMAGES.copy()))
    assert_close(outputs(network, names)(IMAGES), expected, names)


def test_xception_copies_weights_with_a_counterpart_and_leaves_the_rest(tmp_path):
    original = randomise(keras.applications.Xception(weights=None, input_shape=(71, 71, 3)))  # with its classifier
    original.save_weights(tmp_path / "xception.weights.h5")
    network = encoder_only(xception65)
    before = {weight.path: weight.numpy() for weight in network.weights}
    load_encoder_weights(network, "xception", str(tmp_path / "xception.weights.h5"))

    unnamed = {layer.name: layer for layer in original.layers if not layer.name.startswith(("block", "predictions"))}
    shortcuts = [layer for layer in unnamed.values() if isinstance(layer, layers.Conv2D)]
    for name, shortcut in zip(("entry_1", "entry_2", "entry_3", "exit_1"), shortcuts, strict=True):
        np.testing.assert_array_equal(network.get_layer(f"{name}_shortcut_conv").kernel, shortcut.kernel)
    copied = xception_separables()
    assert len(copied) == 3 * 2 + 8 * 3 + 2 + 2 and len({*copied.values()}) == len(copied)
    for name, original_name in copied.items():
        depthwise, pointwise = original.get_layer(original_name).get_weights()
        np.testing.assert_array_equal(network.get_layer(f"{name}_depthwise_conv").kernel, depthwise)
        np.testing.assert_array_equal(network.get_layer(f"{name}_pointwise_conv").kernel, pointwise)
    changed = {weight.path for weight in network.weights if (weight.numpy() != before[weight.path]).any()}
    assert len(changed) == 2 * len(copied) + (2 + 4) * 5  # kernels; stem and shortcuts with their norms

    images = np.random.default_rng(2).uniform(0, 255, (1, 69, 69, 3)).astype("float32")
    padded = np.pad(images / 127.5 - 1, ((0, 0), (1, 1), (1, 1), (0, 0)))  # the original does not pad
    expected = outputs(original, ["block1_conv1_act", "block1_conv2_act"])(padded)
    first, second = outputs(network, ["stem_1_relu", "stem_2_relu"])(images)
    assert_close([first[:, :35, :35], second[:, 1:34, 1:34]], expected, ["stem_1", "stem_2"])


def test_a_network_that_is_not_as_wide_as_published_is_refused_and_left_unchanged(resnet50_original):
    _, file = resnet50_original
    with pytest.raises(UserError, match=r"conv1_conv is \(7, 7, 3, 64\).* as wide as published"):
        pspnet(3, width=0.05, encoder_weights=file)
    network = deeplabv3plus(3, width=0.05)
    before = network.get_weights()
    with pytest.raises(UserError, match="as wide as published"):
        load_encoder_weights(network, "resnet50", file)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(UserError, match="does not fit deeplabv3plus_light as xception"):
        load_encoder_weights(network, "xception", file)


def test_an_unavailable_source_is_refused_in_one_sentence(tmp_path, monkeypatch):
    network = keras.Sequential()
    broken = [tmp_path / name for name in ("weights.keras", "weights.h5", "weights.txt")]
    for file in broken:
        file.write_bytes(b"no weights")
        with pytest.raises(UserError, match=f"{file}: cannot be read as vgg16 weights") as refusal:
            load_encoder_weights(network, "vgg16", str(file))
        assert "\n" not in str(refusal.value)
    with pytest.raises(UserError, match=r"missing\.keras: no such file"):
        load_encoder_weights(network, "vgg16", str(tmp_path / "missing.keras"))
    with pytest.raises(UserError, match="'alexnet': no weights known"):
        load_encoder_weights(network, "alexnet", "imagenet")

    def unreachable(**_):
        raise Exception("URL fetch failure on https://example.org: None -- refused")  # as Keras does

    monkeypatch.setitem(encoder_weights.APPLICATIONS, "vgg16", unreachable)
    with pytest.raises(UserError, match=r"imagenet.*URL fetch failure.*give the path of a file"):
        load_encoder_weights(network, "vgg16", "imagenet")
