"""Tests what other choices of class than the model's are taken to cost."""

import numpy as np
import pytest

from grw_tf.export.regret import regret_of


def _logits(*probabilities):
    """Returns the logits [1, times, classes] of probabilities."""
    return np.log(np.asarray(probabilities))[None]


NEAR_TIE = (0.487, 0.48, 0.033)
CLEAR = (0.8, 0.15, 0.05)


def _choices(*classes):
    return np.eye(3)[list(classes)][None]


def test_same_choices_cost_nothing():
    logits = _logits(CLEAR, NEAR_TIE)
    regret = regret_of(logits, 3 * logits + 1)
    assert (regret.mean_regret, regret.regret_99) == (0, 0)
    assert (regret.agreement, regret.clear_agreement) == (1, 1)
    assert not list(regret.failures())


def test_another_choice_costs_its_loss_of_probability():
    regret = regret_of(_logits(CLEAR, NEAR_TIE), _choices(2, 1))
    assert regret.mean_regret == pytest.approx((0.75 + 0.007) / 2)
    assert (regret.agreement, regret.clear_agreement) == (0, 0)


def test_near_ties_pass_in_whatever_number():
    regret = regret_of(_logits(*[NEAR_TIE] * 60), _choices(*[1] * 60))
    assert regret.agreement == 0
    assert not list(regret.failures())
    wrong = regret_of(_logits(*[NEAR_TIE] * 60), _choices(*[1] * 58, 2, 2))
    assert "99th percentile" in " ".join(wrong.failures())


def test_few_wrong_choices_fail_where_the_model_is_sure():
    logits = _logits(*[CLEAR] * 60, *[NEAR_TIE] * 540)
    wrong = regret_of(logits, _choices(1, *[0] * 599))
    (failure,) = wrong.failures()
    assert "agree at 98.3% of the frames (limit 99.0%)" in failure


@pytest.mark.parametrize("first, fails", [(0, False), (500, False), (580, True)])
def test_wrong_choices_late_in_a_stream_fail(first, fails):
    chosen = np.zeros(600, int)
    chosen[first : first + 20] = 1
    if first == 500:
        chosen[510:] = 0
    regret = regret_of(_logits(*[(0.5, 0.41, 0.09)] * 600), _choices(*chosen))
    assert ["last sixth" in failure for failure in regret.failures()] == [True] * fails


def test_logits_that_are_no_numbers_fail():
    regret = regret_of(_logits(CLEAR, CLEAR), np.full((1, 2, 3), np.nan))
    assert list(regret.failures())


def test_a_share_of_the_limits_is_stricter():
    regret = regret_of(_logits(*[NEAR_TIE] * 60), _choices(*[1] * 54, *[0] * 6))
    assert not list(regret.failures())
    assert "limit 0.005" in " ".join(regret.failures(share=0.5))


def test_one_class_has_nothing_to_choose():
    regret = regret_of(np.zeros((1, 4, 1)), np.ones((1, 4, 1)))
    assert regret.agreement == 1
    assert not list(regret.failures())
