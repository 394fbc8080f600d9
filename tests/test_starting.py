"""A training that starts from another's network."""

import numpy as np
import pytest

from segmentation.errors import UserError
from segmentation.labels import parse_labels
from segmentation.model_file import TrainedModel, save_model
from segmentation.networks.catalogue import build_network
from segmentation.starting import start_from
from tests.test_networks import randomise, small_network

LABELS = "id,name,red,green,blue,class\n" + "".join(f"{i},{name},{i},0,0,{name}\n" for i, name in enumerate("abc"))


@pytest.mark.parametrize("architecture", ["fc_densenet", "pspnet", "enet"])  # plain; a second head; transposed
def test_all_weights_are_taken_and_scores_follow_their_classes(architecture, tmp_path):
    trained = small_network(architecture)
    randomise(trained)
    path = tmp_path / "model.keras"
    save_model(TrainedModel(trained, parse_labels(LABELS, "labels.csv"), 32, 48), path)
    network = small_network(architecture, classes=4)
    assert start_from(network, ["c", "new", "a", "b"], path) == 3
    pictures = np.random.default_rng(1).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)
    expected = trained.predict(pictures, verbose=0)
    np.testing.assert_allclose(network.predict(pictures, verbose=0)[..., [2, 3, 0]], expected, atol=1e-3)


def test_a_network_of_other_layers_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "model.keras"
    save_model(TrainedModel(small_network("enet"), parse_labels(LABELS, "labels.csv"), 32, 48), path)
    for other in (small_network("unet"), build_network("enet", 3, "light", width=0.1)):
        with pytest.raises(UserError, match="other layers"):
            start_from(other, "abc", path)
