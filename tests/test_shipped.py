"""The datasets and the network that come with the project fit together."""

from segmentation.checkpoint import load_model
from segmentation.dataset.samples import open_dataset
from segmentation.inference import segment
from segmentation.labels.label_table import LABEL_TABLES, read_label_table
from segmentation.metrics import confusion_matrix, mean_iou
from tests.harness.processes import ROOT


def test_datasets_and_network_have_the_labels_that_the_recorder_writes():
    labels = read_label_table(LABEL_TABLES / "carla_0.9.14.csv")
    assert (
        read_label_table(ROOT / "dataset" / "labels.csv")
        == read_label_table(ROOT / "dataset_test" / "labels.csv")
        == labels
    )
    assert load_model(ROOT / "models" / "fc_densenet.keras").label_table == labels


def test_network_segments_streets_that_it_was_not_trained_on():
    trained = load_model(ROOT / "models" / "fc_densenet.keras")
    samples = open_dataset(ROOT / "dataset_test").samples[::6]
    assert len({sample.run for sample in samples}) == 6
    confusion = sum(
        confusion_matrix(
            trained.label_table.ids_to_mask(sample.read_ids(trained.label_table)),
            segment(trained, sample.read_image()),
            len(trained.label_table.class_names),
        )
        for sample in samples
    )
    assert mean_iou(confusion) > 0.6
