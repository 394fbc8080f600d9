"""Training that starts from the weights of another network."""

import numpy as np
import pytest

from segmentation.checkpoint import TrainedModel, save_model
from segmentation.errors import UserError
from segmentation.labels.label_table import parse_label_table
from segmentation.networks.registry import build_network
from segmentation.training.warm_start import warm_start
from tests.harness.networks import randomise, small_network

# Kinds of networks: a plain one, one with an auxiliary head, and one with transposed convolutions.
ARCHITECTURES = ("fc_densenet", "pspnet", "enet")
LABELS = "id,name,red,green,blue,class\n" + "".join(f"{i},{name},{i},0,0,{name}\n" for i, name in enumerate("abc"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_weights_are_copied_and_scores_follow_the_class_names(architecture, tmp_path):
    trained = small_network(architecture)
    randomise(trained)
    path = tmp_path / "model.keras"
    save_model(TrainedModel(trained, parse_label_table(LABELS, "labels.csv"), (48, 32)), path)
    network = small_network(architecture, num_classes=4)
    assert warm_start(network, ["c", "new", "a", "b"], path) == 3
    images = np.random.default_rng(1).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)
    expected = trained.predict(images, verbose=0)
    np.testing.assert_allclose(network.predict(images, verbose=0)[..., [2, 3, 0]], expected, atol=1e-3)


def test_network_with_other_layers_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "model.keras"
    save_model(TrainedModel(small_network("enet"), parse_label_table(LABELS, "labels.csv"), (48, 32)), path)
    for other in (small_network("unet"), build_network("enet", "light", 3, width=0.1)):
        with pytest.raises(UserError, match="other layers"):
            warm_start(other, "abc", path)
