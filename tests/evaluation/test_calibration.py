"""Tests of the choice of temperature and threshold."""

import numpy as np
import pytest

from grw_tf.evaluation.calibration import (
    answers,
    false_alarms_an_hour,
    fit_temperature,
    threshold_of_false_alarms,
    threshold_of_precision,
)
from grw_tf.evaluation.file_scores import VideoScores
from grw_tf.streaming.events import EventRules
from grw_tf.streaming.none_of_these import NoneOfThese

LABELS = ["a", "b", "background"]


def _logits(*probabilities):
    return np.log(np.array(probabilities))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_temperature_is_found_again(temperature):
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 5))
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(5, p=row) for row in shares])
    assert fit_temperature(honest * temperature, labels) == pytest.approx(
        temperature, rel=0.06
    )


def test_temperature_stays_if_every_clip_is_right():
    assert fit_temperature(np.eye(3) * 5, np.arange(3)) == 1.0


def _found():
    logits = _logits(
        [0.9, 0.05, 0.05],
        [0.8, 0.1, 0.1],
        [0.3, 0.6, 0.1],
        # "background" is no answer, so not a wrong one.
        [0.01, 0.01, 0.98],
    )
    background = _logits([0.7, 0.2, 0.1], [0.5, 0.3, 0.2])
    return answers(NoneOfThese(LABELS), logits, np.array([0, 1, 1, 0]), background)


def test_precision_counts_answers_to_background_as_wrong():
    found = _found()
    assert found.precision(0.0) == pytest.approx(2 / 5)
    assert found.precision(0.75) == pytest.approx(1 / 2)
    assert found.precision(0.85) == 1
    assert np.isnan(found.precision(0.95))
    assert found.coverage(0.0) == pytest.approx(2 / 4)
    assert found.coverage(0.85) == pytest.approx(1 / 4)


def test_threshold_is_the_lowest_with_the_precision():
    found = _found()
    assert threshold_of_precision(found, 0.4) == pytest.approx(0.5)
    assert threshold_of_precision(found, 0.45) == pytest.approx(0.6)
    assert threshold_of_precision(found, 0.9) == pytest.approx(0.9)
    wrong = answers(
        NoneOfThese(LABELS), _logits([0.8, 0.1, 0.1]), np.array([1]), np.empty((0, 3))
    )
    with pytest.raises(ValueError, match="target_precision is 0.9, and the highest"):
        threshold_of_precision(wrong, 0.9)


def _video(*shares):
    spans = np.arange(len(shares))[:, None] + np.array([0.0, 1.0])
    return VideoScores(spans, _logits(*([s, 0.9 - s, 0.1] for s in shares)))


def _rules(threshold):
    return EventRules(threshold, 0.9 * threshold, 0.0, 0.0)


def test_threshold_leaves_as_few_false_alarms_as_asked():
    none_of_these = NoneOfThese(LABELS)
    # Below 0.46, all is one event.
    video = _video(0.8, 0.46, 0.7, 0.46, 0.6, 0.46, 0.46, 0.46)
    an_alarm = 3600 / 8
    for most, expected in ((0, 0.8), (1, 0.8), (2, 0.7), (3, 0.46)):
        threshold = threshold_of_false_alarms(
            [video], none_of_these, _rules, most * an_alarm
        )
        rate = false_alarms_an_hour([video], none_of_these, _rules(threshold))
        assert rate <= most * an_alarm
        if most < 3:
            assert threshold == pytest.approx(expected)
            lower = _rules(threshold - 1e-3 - 0.1 * (most > 0))
            more = false_alarms_an_hour([video], none_of_these, lower)
            assert more > most * an_alarm


def test_threshold_above_all_scores_is_refused():
    certain = VideoScores(np.array([[0.0, 1.0]]), np.array([[1000.0, 0.0, 0.0]]))
    with pytest.raises(ValueError, match="false_alarms_per_hour is 0, and even events"):
        threshold_of_false_alarms([certain], NoneOfThese(LABELS), _rules, 0.0)
