"""What comes with the project fits together."""

from pathlib import Path

from segmentation.dataset.folder import open_dataset
from segmentation.inference import segment
from segmentation.labels import TABLES, read_labels
from segmentation.metrics import confusion_matrix, mean_iou
from segmentation.model_file import load_model

ROOT = Path(__file__).parents[1]


def test_datasets_and_network_have_the_labels_that_the_recorder_writes():
    labels = read_labels(TABLES / "carla_0.9.14.csv")
    assert read_labels(ROOT / "dataset" / "labels.csv") == read_labels(ROOT / "dataset_test" / "labels.csv") == labels
    assert load_model(ROOT / "models" / "fc_densenet.keras").labels == labels


def test_the_network_knows_streets_that_it_was_not_trained_on():
    trained = load_model(ROOT / "models" / "fc_densenet.keras")
    samples = open_dataset(ROOT / "dataset_test").samples[::6]
    assert len({sample.run for sample in samples}) == 6
    confusion = sum(
        confusion_matrix(
            trained.labels.to_classes(sample.read_ids(trained.labels)),
            segment(trained, sample.read_picture()),
            len(trained.labels.classes),
        )
        for sample in samples
    )
    assert mean_iou(confusion) > 0.6
