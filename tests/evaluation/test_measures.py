"""Tests of measures of probabilities against labels."""

import json

import numpy as np
import pytest

from grw_tf.evaluation.measures import likeliest, measure

NAMES = ("jump", "run, fast", "walk", "überall")
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def _certain(predicted, classes=4, certainty=0.7):
    rest = (1 - certainty) / (classes - 1)
    return np.where(np.eye(classes)[predicted] > 0, certainty, rest)


@pytest.fixture
def measured():
    return measure(LABELS, _certain(PREDICTED), NAMES)


def test_scores_are_those_counted_by_hand(measured):
    assert measured.top_1 == pytest.approx(3 / 6)
    np.testing.assert_allclose(measured.precision, [2 / 3, 1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(measured.recall, [2 / 3, 1 / 2, 0, np.nan])
    np.testing.assert_allclose(measured.f1, [2 / 3, 2 / 5, 0, np.nan])
    assert measured.macro_f1 == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)
    np.testing.assert_array_equal(measured.support, [3, 2, 1, 0])


def test_confusion_counts_predictions_by_label(measured):
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (LABELS, PREDICTED), 1)
    np.testing.assert_array_equal(measured.confusion, counts)


def test_scores_are_those_of_numpy_on_random_predictions():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 200)
    probabilities = rng.dirichlet(np.ones(7), 200)
    predicted = probabilities.argmax(axis=1)
    measured = measure(labels, probabilities, [str(c) for c in range(7)])
    right = [np.sum((labels == c) & (predicted == c)) for c in range(7)]
    sizes = [np.sum(labels == c) + np.sum(predicted == c) for c in range(7)]
    f1 = 2 * np.array(right) / np.array(sizes)
    np.testing.assert_allclose(measured.f1, f1)
    assert measured.macro_f1 == pytest.approx(f1.mean())
    assert measured.top_1 == np.mean(labels == predicted)
    ranks = (probabilities > probabilities[range(200), labels][:, None]).sum(axis=1)
    assert measured.top_5 == np.mean(ranks < 5)


def test_log_loss_and_calibration_are_those_counted_by_hand(measured):
    expected = -(3 * np.log(0.7) + 3 * np.log(0.1)) / 6
    assert measured.negative_log_likelihood == pytest.approx(expected)
    # All clips are in one bin, of accuracy 0.5 at a confidence of 0.7.
    assert measured.calibration_error == pytest.approx(0.2)


def test_calibration_weights_bins_by_their_clips():
    # Too sure in one bin, too unsure in the other: the two do not cancel.
    sure = np.tile([0.9, 0.1], (6, 1))
    unsure = np.tile([0.6, 0.4], (2, 1))
    labels = [0, 0, 0, 1, 1, 1, 0, 0]
    measured = measure(labels, np.concatenate([sure, unsure]), "ab")
    assert measured.calibration_error == pytest.approx((6 * 0.4 + 2 * 0.4) / 8)
    calibrated = measure([0] * 9 + [1], np.tile([0.9, 0.1], (10, 1)), "ab")
    assert calibrated.calibration_error == pytest.approx(0)


def test_bins_are_fifteenths_that_hold_their_upper_end():
    # 0.6 = 9/15 is the end of a bin, so right and wrong are in different ones.
    probabilities = [[0.6, 0.4], [0.61, 0.39]]
    measured = measure([0, 1], probabilities, "ab")
    assert measured.calibration_error == pytest.approx((0.4 + 0.61) / 2)


def test_certain_predictions_have_finite_measures():
    wrong = measure([1], [[1.0, 0.0]], "ab")
    assert wrong.negative_log_likelihood == pytest.approx(87.3, abs=0.05)
    assert wrong.calibration_error == 1
    right = measure([0], [[1.0, 0.0]], "ab")
    assert (right.negative_log_likelihood, right.calibration_error) == (0, 0)


def test_top_5_of_fewer_classes_is_of_all(measured):
    assert measured.top_5 == 1


def test_of_equally_likely_classes_the_first_leads():
    assert likeliest(np.full((1, 6), 1 / 6), 5).tolist() == [[0, 1, 2, 3, 4]]
    measured = measure([5, 4], np.full((2, 6), 1 / 6), "abcdef")
    assert (measured.top_1, measured.top_5) == (0, 0.5)


def test_dict_survives_json(measured):
    read = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert read == measured.to_dict()
    assert read["clips"] == 6
    scores = dict.fromkeys(("precision", "recall", "f1"))
    assert read["classes"][3] == {"name": "überall", **scores, "support": 0}
    assert read["confusion"][0] == [2, 1, 0, 0]


def test_table_has_a_line_for_each_class(measured):
    assert measured.table().splitlines() == [
        "clips          6",
        "top-1      0.500",
        "top-5      1.000",
        "macro-F1   0.356",
        "NLL        1.330",
        "ECE        0.200",
        "",
        "class      precision  recall     F1  support",
        "jump           0.667   0.667  0.667        3",
        "run, fast      0.333   0.500  0.400        2",
        "walk               -   0.000  0.000        1",
        "überall            -       -      -        0",
    ]


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.zeros((0, 4)), r"at least one clip, got \(0,\) and \(0, 4\)"),
        ([0, 1], _certain([0]), r"got \(2,\) and \(1, 4\)"),
        ([0], _certain([0], 5), r"\[clips, 4\].* got \(1,\) and \(1, 5\)"),
        ([[0]], _certain([0]), r"got \(1, 1\) and"),
        ([0, 4], _certain([0, 0]), "Clip 1 has label 4, but the 4 classes are 0 to 3"),
        ([-1], _certain([0]), "Clip 0 has label -1"),
        ([0.0], _certain([0]), "whole numbers, got float64"),
        ([0], [[3.0, -1, 0, 1]], "from -1 that sum to 3: take the softmax"),
        ([0], [[1.5, -0.5, 0, 0]], "from -0.5 that sum to 1"),
        ([0, 1], [[0, 0, 0, 1], [np.nan, 0, 0, 1]], "Clip 1 .* NaN or infinite: the"),
    ],
)
def test_what_fits_no_classes_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        measure(labels, probabilities, NAMES)
