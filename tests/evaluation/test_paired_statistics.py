"""Tests of the statistics of paired runs, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from grw_tf.evaluation.paired_statistics import (
    clips_needed,
    compare_clips,
    compare_seeds,
    holm,
    seeds_needed,
    smallest_shown,
)

VALUES, BASELINE = [0.81, 0.76, 0.90, 0.84], [0.80, 0.70, 0.88, 0.85]


def test_seeds_are_compared_by_students_paired_test():
    found = compare_seeds(VALUES, BASELINE)
    expected = stats.ttest_rel(VALUES, BASELINE)
    low, high = expected.confidence_interval(0.95)
    interval = found.interval
    assert interval.mean == pytest.approx(0.02)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.deviation == pytest.approx(np.std([1, 6, 2, -1], ddof=1) / 100)


def test_one_seed_has_no_interval():
    found = compare_seeds([0.9], [0.7])
    assert found.interval.mean == pytest.approx(0.2)
    assert (found.interval.low, found.deviation, found.p_value) == (None, None, None)


@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_equal_differences_are_tested_by_their_signs(seeds):
    baseline = np.linspace(0.6, 0.8, seeds)
    found = compare_seeds(baseline + 0.1, baseline)
    expected = stats.permutation_test(
        (baseline + 0.1, baseline),
        lambda a, b: (a - b).mean(),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert found.deviation == 0 and found.p_value == pytest.approx(expected.pvalue)
    # The spread is not known, so no interval is.
    assert found.interval.mean == pytest.approx(0.1) and found.interval.low is None


def test_no_differences_at_all_are_no_sign_of_one():
    assert compare_seeds([0.5] * 9, [0.5] * 9).p_value == 1.0


def test_seeds_must_be_as_many():
    with pytest.raises(ValueError, match=r"as many numbers .* \(2,\), \(1,\)"):
        compare_seeds([1, 2], [1])


def test_clips_are_compared_by_a_paired_bootstrap():
    rng = np.random.default_rng(0)
    right, baseline = rng.uniform(size=(2, 3, 400)) < 0.7
    found = compare_clips(right, baseline)
    differences = right.mean(axis=0) - baseline.mean(axis=0)
    expected = stats.bootstrap(
        (differences,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.interval.mean == pytest.approx(differences.mean())
    # Both draw at random.
    width = expected.high - expected.low
    assert found.interval.low == pytest.approx(expected.low, abs=0.06 * width)
    assert found.interval.high == pytest.approx(expected.high, abs=0.06 * width)
    assert found.deviation == pytest.approx(differences.std(ddof=1))
    assert found.p_value is None and found.clips == 400


def test_mended_and_broken_predictions_are_counted():
    baseline = [[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 1]]
    right = [[1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0]]
    found = compare_clips(right, baseline)
    assert (found.mended, found.broken) == (4, 2)


def test_one_seed_is_compared_by_mcnemars_exact_test():
    baseline, right = [[1] * 2 + [0] * 10], [[0] * 2 + [1] * 10]
    found = compare_clips(right, baseline)
    # Both tails of a fair coin thrown 12 times: at most 2 of one side.
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert compare_clips(right, right).p_value == 1.0


def test_holm_by_hand():
    # 4 x 0.01, then 3 x 0.015, then 2 x 0.03, then 0.03 raised to the one before.
    assert holm([0.03, 0.01, None, 0.015, 0.04]) == pytest.approx(
        [0.06, 0.04, None, 0.045, 0.06]
    )
    assert holm([0.7, 0.6]) == [1.0, 1.0]


@pytest.mark.parametrize(("deviation", "effect"), [(0.02, 0.01), (0.01, 0.02)])
def test_needed_seeds_show_the_difference_four_times_out_of_five(deviation, effect):
    count = seeds_needed(deviation, effect)

    def shown(seeds):
        drawn = np.random.default_rng(0).normal(effect, deviation, (20_000, seeds))
        return (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()

    assert shown(count) > 0.79
    assert shown(count - 1) < 0.81


def test_needed_seeds_of_no_spread_or_too_much():
    assert seeds_needed(0.0, 0.01) == 2
    assert seeds_needed(100.0, 0.001) is None


def test_smallest_shown_difference_needs_so_many_seeds():
    smallest = smallest_shown(0.03, 5)
    assert seeds_needed(0.03, 1.001 * smallest) == 5
    assert seeds_needed(0.03, 0.999 * smallest) == 6
    assert smallest_shown(0.03, 1) is None and smallest_shown(0.0, 3) is None


def test_needed_clips_are_those_of_the_normal_approximation():
    assert clips_needed(0.5, 0.01) == np.ceil((2.801585 * 0.5 / 0.01) ** 2)
