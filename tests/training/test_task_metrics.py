"""Tests of the task's metrics against scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics

from grw_tf.training.tasks.metrics import ConfusionMatrix, MacroF1, recalls

CLASSES = 5


@pytest.fixture
def batches():
    """Three batches of labels and scores; class 4 is neither there nor predicted."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES - 1, (3, 10))
    scores = rng.random((3, 10, CLASSES), "float32")
    scores[..., CLASSES - 1] = -1
    return labels, scores


@pytest.mark.parametrize("one_hot", [False, True])
def test_counts_are_sklearns(batches, one_hot):
    labels, scores = batches
    metric = ConfusionMatrix(CLASSES)
    for truth, outputs in zip(labels, scores, strict=True):
        given = np.eye(CLASSES, dtype="float32")[truth] if one_hot else truth[:, None]
        metric.update_state(given, outputs)
    expected = sklearn.metrics.confusion_matrix(
        labels.ravel(), scores.argmax(-1).ravel(), labels=range(CLASSES)
    )
    np.testing.assert_array_equal(metric.result(), expected)
    metric.reset_state()
    assert not metric.result().numpy().any()


def test_macro_f1_is_sklearns(batches):
    labels, scores = batches
    metric = MacroF1(CLASSES)
    for truth, outputs in zip(labels, scores, strict=True):
        metric.update_state(truth, outputs)
    expected = sklearn.metrics.f1_score(
        labels.ravel(), scores.argmax(-1).ravel(), average="macro"
    )
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_macro_f1_of_nothing_is_0():
    assert float(MacroF1(CLASSES).result()) == 0.0


def test_recalls_leave_out_classes_without_clips():
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    assert recalls(counts, ["a", "b", "c"]) == {"recall/a": 0.75, "recall/c": 0.0}
