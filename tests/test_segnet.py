import keras

from segmentation.networks.segnet import segnet


def convolutions(network):
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]


def test_convolutions_are_vgg16_and_its_mirror_image():
    network = segnet(11, variant="paper")
    found = convolutions(network)
    vgg = convolutions(keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)))
    assert len(vgg) == 13 and len(found) == 26
    for encoder, published in zip(found, vgg, strict=False):
        assert (encoder.name, encoder.kernel.shape) == (published.name, published.kernel.shape)
    # The authors' segnet_train.prototxt, conv5_3_D to conv1_1_D.
    assert [layer.filters for layer in found[13:]] == [512] * 5 + [256] * 3 + [128] * 2 + [64] * 2 + [11]
    assert {layer.kernel_size for layer in found} == {(3, 3)} and all(layer.use_bias for layer in found)
    for layer in found[:-1]:
        assert network.get_layer(f"{layer.name}_norm").input is layer.output
