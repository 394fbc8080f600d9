import numpy as np
import pytest

from segmentation.labels.label_table import VOID
from segmentation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy


def test_metrics_equal_those_counted_by_hand():
    truth = np.array([0, 0, 0, 1, 1, VOID], np.uint8)
    prediction = np.array([0, 0, 1, 1, 0, 2], np.uint8)
    confusion = confusion_matrix(truth, prediction, 4)
    assert confusion[:2, :2].tolist() == [[2, 1], [1, 1]] and confusion.sum() == 5
    iou = class_iou(confusion)
    assert iou[:2].tolist() == [2 / 4, 1 / 3]
    assert np.isnan(iou[2:]).all()  # class 2 was predicted on void only, class 3 nowhere
    assert mean_iou(confusion) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert pixel_accuracy(confusion) == 3 / 5


def test_class_that_is_only_predicted_has_an_iou_of_0():
    confusion = confusion_matrix(np.array([0, 0], np.uint8), np.array([0, 1], np.uint8), 2)
    assert class_iou(confusion).tolist() == [0.5, 0.0]


def test_metrics_of_void_alone_are_nan():
    confusion = confusion_matrix(np.array([VOID], np.uint8), np.array([0], np.uint8), 2)
    assert np.isnan(mean_iou(confusion)) and np.isnan(pixel_accuracy(confusion))


def test_mean_leaves_out_the_classes_that_do_not_count():
    confusion = np.array([[3, 1, 0], [0, 2, 0], [0, 2, 0]])
    assert mean_iou(confusion, np.array([True, True, False])) == pytest.approx((3 / 4 + 2 / 5) / 2)
    assert np.isnan(mean_iou(confusion, np.zeros(3, bool)))
