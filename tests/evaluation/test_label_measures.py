"""Tests of measures of several labels against their literal definitions."""

import json

import numpy as np
import pytest

from grw_tf.evaluation.label_measures import (
    average_precisions,
    best_threshold,
    measure_labels,
)

NAMES = ("run", "wave", "jump", "never")


@pytest.fixture(scope="module")
def clips():
    """Labels and scores; the last class is never there."""
    rng = np.random.default_rng(0)
    labels = rng.random((60, 4)) < [0.5, 0.2, 0.9, 0.0]
    logits = np.round(rng.normal(labels * 1.5 - 0.7), 1)
    return labels, 1 / (1 + np.exp(-logits))


def _f1(labels, named):
    right = (labels & named).sum()
    return 2 * right / (labels.sum() + named.sum())


def _average_precision(labels, scores):
    """The mean, over a class's clips, of the precision among clips that score as high.

    This is the definition, one clip at a time.
    """
    of_class = [
        labels[scores >= score].mean()
        for score, there in zip(scores, labels, strict=True)
        if there
    ]
    return np.mean(of_class)


def test_average_precision_is_its_definition(clips):
    labels, scores = clips
    found = average_precisions(labels, scores)
    expected = [_average_precision(labels[:, k], scores[:, k]) for k in range(3)]
    np.testing.assert_allclose(found[:3], expected, rtol=1e-12)
    assert np.isnan(found[3])


def test_measures_are_their_definitions(clips):
    labels, scores = clips
    thresholds = np.array([0.3, 0.5, 0.6, 0.99])
    found = measure_labels(labels, scores, thresholds, NAMES)
    named = scores >= thresholds
    each = [_f1(labels[:, k], named[:, k]) for k in range(3)]
    np.testing.assert_allclose(found.f1[:3], each)
    assert np.isnan(found.f1[3])
    assert found.macro_f1 == pytest.approx(np.mean(each))
    assert found.micro_f1 == pytest.approx(_f1(labels, named))
    assert found.exact_match == (labels == named).all(axis=1).mean()
    likelihood = np.where(labels, scores, 1 - scores)
    assert found.negative_log_likelihood == pytest.approx(-np.log(likelihood).mean())
    assert found.support.tolist() == labels.sum(axis=0).tolist()
    mean = np.mean([_average_precision(labels[:, k], scores[:, k]) for k in range(3)])
    assert found.mean_average_precision == pytest.approx(mean)


def test_best_threshold_has_the_best_f1_of_all(clips):
    labels, scores = clips
    for of_class, own in zip(labels.T[:3], scores.T[:3], strict=True):
        best = best_threshold(of_class, own)
        tried = [_f1(of_class, own >= score) for score in np.unique(own)]
        assert _f1(of_class, own >= best) == pytest.approx(max(tried))
        assert best not in own


def test_threshold_of_classes_told_apart_is_in_the_middle():
    assert best_threshold([True, False], [0.8, 0.2]) == pytest.approx(0.5)
    assert best_threshold([True, True], [0.8, 0.2]) == pytest.approx(0.1)
    assert best_threshold([False, False], [0.8, 0.2]) == 0.5


def test_a_single_class_is_measured_as_binary():
    labels = np.array([[True], [False], [True], [False]])
    scores = np.array([[0.9], [0.8], [0.4], [0.1]])
    found = measure_labels(labels, scores, [0.5], ("fall",))
    assert found.support.tolist() == [2] and found.clips == 4
    assert found.precision.tolist() == found.recall.tolist() == [0.5]
    assert found.mean_average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.exact_match == 0.5


def test_results_are_json_and_the_table_has_a_line_a_class(clips):
    found = measure_labels(*clips, np.full(4, 0.5), NAMES)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    never = content["classes"][3]
    assert never["name"] == "never" and never["average_precision"] is None
    assert never["threshold"] == never["best_threshold"] == 0.5
    lines = found.table().splitlines()
    assert [line.split()[0] for line in lines[-4:]] == list(NAMES)
    assert ["mAP", f"{found.mean_average_precision:.3f}"] in map(str.split, lines)


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([[1, 0]], [[0.5, 0.5]], "labels, as bool"),
        ([[True, False]], [[0.5]], r"\[clips, 2\]"),
        (np.zeros((0, 2), bool), np.zeros((0, 2)), "at least one clip"),
        ([[True, False]], [[0.5, 1.5]], "Clip 0 has scores that are not in 0..1"),
        ([[True, False]], [[0.5, np.nan]], "Clip 0 has scores that are not in 0..1"),
    ],
)
def test_what_is_no_scores_is_told(labels, scores, words):
    with pytest.raises(ValueError, match=words):
        measure_labels(labels, scores, [0.5, 0.5], ("a", "b"))
