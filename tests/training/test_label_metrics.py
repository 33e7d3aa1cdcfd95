"""Tests of the metrics of several labels against scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics

from grw_tf.evaluation.label_measures import best_threshold
from grw_tf.training.tasks.label_metrics import (
    AveragePrecisions,
    BestThresholds,
    LabelF1,
    MeanAveragePrecision,
)

CLASSES = 4


@pytest.fixture(scope="module")
def batches():
    """Three batches of labels and scores; class 3 is never there."""
    rng = np.random.default_rng(0)
    labels = rng.random((3, 40, CLASSES)) < [0.5, 0.2, 0.9, 0.0]
    # In the middle of bins, with ties.
    logits = np.round(rng.normal(labels * 1.5 - 0.7, 1.0) * 10) / 10 + 0.01
    return labels, (1 / (1 + np.exp(-logits))).astype("float32")


def _fed(metric, batches):
    for labels, scores in zip(*batches, strict=True):
        metric.update_state(labels.astype("float32"), scores)
    return metric


def _joined(batches):
    return (array.reshape(-1, CLASSES) for array in batches)


def test_average_precisions_are_sklearns(batches):
    labels, scores = _joined(batches)
    found = _fed(AveragePrecisions(CLASSES), batches).result().numpy()
    expected = [
        sklearn.metrics.average_precision_score(labels[:, k], scores[:, k])
        for k in range(CLASSES - 1)
    ]
    np.testing.assert_allclose(found[:-1], expected, rtol=1e-5)
    assert np.isnan(found[-1])
    mean = _fed(MeanAveragePrecision(CLASSES), batches)
    assert float(mean.result()) == pytest.approx(np.mean(expected), rel=1e-5)
    mean.reset_state()
    assert float(mean.result()) == 0


def test_thresholds_give_the_best_f1_and_lie_between_scores(batches):
    labels, scores = _joined(batches)
    found = _fed(BestThresholds(CLASSES), batches).result().numpy()
    for k in range(CLASSES - 1):
        # Whatever separates the same clips is as good.
        best = best_threshold(labels[:, k], scores[:, k])
        np.testing.assert_array_equal(scores[:, k] >= found[k], scores[:, k] >= best)
        assert not (np.abs(scores[:, k] - found[k]) < 1e-4).any()
    assert np.isnan(found[-1])


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_is_sklearns(batches, average):
    labels, scores = _joined(batches)
    named = scores >= 0.5
    seen = (labels | named).any(axis=0)
    expected = sklearn.metrics.f1_score(
        labels[:, seen], named[:, seen], average=average
    )
    found = _fed(LabelF1(CLASSES, average), batches)
    assert float(found.result()) == pytest.approx(expected, rel=1e-5)
    found.reset_state()
    assert float(found.result()) == 0


def test_scores_of_0_and_1_and_nan_have_a_bin():
    labels = np.array([[1.0], [0.0], [0.0]], "float32")
    metric = MeanAveragePrecision(1)
    metric.update_state(labels, np.array([[1.0], [0.0], [np.nan]], "float32"))
    assert float(metric.result()) == 1.0


def test_mixed_labels_count_in_part():
    metric = AveragePrecisions(1)
    labels = np.array([[0.75], [0.0]], "float32")
    metric.update_state(labels, np.array([[0.9], [0.1]], "float32"))
    # Of all that is named first, three quarters are right.
    np.testing.assert_allclose(metric.result(), [0.75])
