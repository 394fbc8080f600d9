import keras
import numpy as np
import pytest
from keras import layers

from segmentation.errors import UserError
from segmentation.networks.deeplabv3plus import deeplabv3plus
from segmentation.networks.resnet import resnet50
from segmentation.networks.xception import xception65
from tests.harness.gradients import gradient


def trainable_parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def test_xception65_alone_has_exactly_its_published_parameters():
    images = keras.Input((None, None, 3))
    assert trainable_parameters(keras.Model(images, xception65(images, output_stride=16)["exit"])) == 37_867_312


def reach(network, start, end):
    """Return the rows of layer `start` that one position of layer `end` sees, relative to it, ascending.

    Measured by the gradient. All kernels are positive, so that nothing cancels and no ReLU blocks anything.
    """
    part = keras.Model(network.get_layer(start).output, network.get_layer(end).output)
    for layer in part.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            kernel = layer.weights[0]
            kernel.assign(np.full(kernel.shape, 1 / np.prod(kernel.shape[:3]), "float32"))
    size, centre = 97, 48
    features = np.ones((1, size, size, network.get_layer(start).output.shape[-1]), "float32")
    seen = (gradient(lambda x: keras.ops.sum(part(x)[0, centre, centre]), features) != 0).any(-1)[0]
    np.testing.assert_array_equal(seen.any(0), seen.any(1))
    return list(np.flatnonzero(seen.any(1)) - centre)


@pytest.mark.parametrize(("output_stride", "rates"), [(16, (6, 12, 18)), (8, (12, 24, 36))])  # section 4.1, 4.3
@pytest.mark.parametrize("variant", ["light", "xception65"])
def test_aspp_sees_as_far_as_in_the_paper(variant, output_stride, rates):
    network = deeplabv3plus(3, variant=variant, width=0.02, output_stride=output_stride)
    last = "conv5_block3_out" if variant == "light" else "exit_2_separable_3_pointwise_relu"
    part = "" if variant == "light" else "_pointwise"
    assert reach(network, last, "aspp_1_relu") == [0]
    for rate in rates:
        assert reach(network, last, f"aspp_{rate}{part}_relu") == [-rate, 0, rate]


# Stages of 6 and 3 blocks with one 3x3 kernel each, whose reaches add up; dilation replaces the stage's stride.
@pytest.mark.parametrize(("output_stride", "conv4", "conv5"), [(8, 2, 4), (16, 1, 2)])
def test_dilated_stages_of_resnet50_see_as_far_as_their_rates(output_stride, conv4, conv5):
    network = deeplabv3plus(3, width=0.02, output_stride=output_stride)
    if output_stride == 8:  # with 16, conv4 begins with a stride
        assert reach(network, "conv3_block4_out", "conv4_block6_out") == [*range(-6 * conv4, 6 * conv4 + 1, conv4)]
    assert reach(network, "conv4_block1_out", "conv4_block6_out") == [*range(-5 * conv4, 5 * conv4 + 1, conv4)]
    assert reach(network, "conv4_block6_out", "conv5_block3_out") == [*range(-3 * conv5, 3 * conv5 + 1, conv5)]


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize(("encoder", "last"), [(resnet50, "conv5"), (xception65, "exit")])
def test_dilated_encoders_equal_the_undilated_one_at_its_positions(encoder, last, output_stride):
    images = keras.Input((None, None, 3))
    plain, dilated = (
        keras.Model(images, encoder(images, output_stride=stride, width=0.05)[last]) for stride in (32, output_stride)
    )
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in plain.get_weights()]
    plain.set_weights(weights)
    dilated.set_weights(weights)
    x = rng.uniform(-1, 1, (1, 96, 160, 3)).astype("float32")
    step = 32 // output_stride
    expected = np.asarray(plain(x))
    assert expected.shape[1:3] == (3, 5) and expected.std() > 0
    np.testing.assert_allclose(dilated(x)[:, ::step, ::step], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    "wrong", [{"variant": "xception41"}, {"width": -1.0}, {"output_stride": 32}, {"output_stride": 4}]
)
def test_impossible_values_are_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        deeplabv3plus(3, **wrong)
