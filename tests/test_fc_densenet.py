import keras
import numpy as np
import pytest
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.dense_block import DenseBlock
from segmentation.networks.fc_densenet import fc_densenet


def trainable_parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.parametrize(
    ("variant", "num_classes", "trainable", "all_parameters"),
    [
        ("56", 11, 1_376_795, 1_397_963),
        ("67", 11, 3_463_243, 3_502_923),
        ("103", 11, 9_322_091, 9_425_163),
        ("light", 13, 713_580, 724_942),
    ],
)
def test_variants_have_exactly_their_published_parameters(variant, num_classes, trainable, all_parameters):
    network = fc_densenet(num_classes, variant=variant)
    assert trainable_parameters(network) == trainable
    assert network.count_params() == all_parameters


def test_stacks_of_103_are_as_wide_as_in_the_reference_code():
    network = fc_densenet(11, variant="103")
    widths = [layer.output.shape[-1] for layer in network.layers if layer.name.startswith("stack_down")]
    widths.append(network.get_layer("transition_down_5").output.shape[-1] + 15 * 16)  # around the bottleneck
    for number, depth in ((5, 12), (4, 10), (3, 7), (2, 5), (1, 4)):
        widths.append(network.get_layer(f"stack_up_{number}").output.shape[-1] + depth * 16)
    assert widths == [112, 192, 304, 464, 656, 896, 1088, 816, 576, 384, 256]


def plain_dense_block(channels, depth, growth_rate):
    """Build the paper's dense block from Keras layers, independently of `DenseBlock`."""
    start = keras.Input((None, None, channels))
    x, new = start, []
    for _ in range(depth):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        new.append(layers.Conv2D(growth_rate, 3, padding="same")(y))
        x = layers.Concatenate()([x, new[-1]])
    return keras.Model(start, layers.Concatenate()(new))


@pytest.mark.parametrize("training", [False, True])
def test_dense_block_equals_plain_keras_layers(training):
    block = DenseBlock(3, 4, 0.0)
    x = np.random.default_rng(0).normal(size=(2, 9, 7, 5)).astype("float32")
    block(x)
    rng = np.random.default_rng(1)
    for weight in block.weights:
        weight.assign(rng.uniform(0.1, 1, weight.shape))
    plain = plain_dense_block(5, 3, 4)
    for kind, sources in (("norm", block.norms), ("conv", block.convolutions)):
        for layer, source in zip([la for la in plain.layers if kind in la.name], sources, strict=True):
            layer.set_weights(source.get_weights())
    np.testing.assert_allclose(block(x, training=training), plain(x, training=training), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (45, 64)])
def test_the_output_has_the_size_of_the_image(size):
    network = fc_densenet(3, groups=2, layers_per_block=1, growth_rate=4)
    logits = network.predict_on_batch(np.zeros((1, *size, 3), np.uint8))
    assert logits.shape == (1, *size, 3) and logits.dtype == np.float32


@pytest.mark.parametrize(
    "wrong", [{"variant": "57"}, {"groups": 0}, {"growth_rate": -1}, {"layers_per_block": 0}, {"dropout": 1.0}]
)
def test_impossible_values_are_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        fc_densenet(3, **wrong)
