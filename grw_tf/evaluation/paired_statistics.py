"""Statistics of paired runs: differences, tests, and the runs that a test would need.

Tests and distributions are scipy's. It has neither Holm's method nor the power of a
t-test; statsmodels has both, with the same results, but it adds 65 MB for twenty lines,
and its power solver fails for large effects and for differences without spread.
"""

import bisect
import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

LEVEL = 0.95
POWER = 0.8
_DRAWS = 10_000
_SCORE_DRAWS = 2_000
_MOST = 10**6
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and its 95% interval, whose ends are None if it is undefined."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class SeedDifference:
    """A difference from the baseline, paired by seed.

    Attributes:
        interval: The mean over seeds and its Student's t interval, which has no ends if
            there is one seed or if the difference is the same for all seeds.
        deviation: Standard deviation over seeds; None for one seed.
        p_value: Two-sided p-value of no difference, by Student's t-test, or by the
            exact sign test if the difference is the same for all seeds; None for one
            seed.
        seeds: The number of seeds.
    """

    interval: Interval
    deviation: float | None
    p_value: float | None
    seeds: int


@dataclasses.dataclass(frozen=True)
class ClipDifference:
    """A difference in correct predictions between trained models, paired by clip.

    Attributes:
        interval: The mean over clips and its interval, by bootstrap over clips.
        deviation: Standard deviation over clips of the mean difference over seeds.
        mended, broken: Numbers of predictions, over all seeds, that are right where the
            baseline's is wrong, and wrong where the baseline's is right.
        p_value: Two-sided p-value of McNemar's exact test; None for several seeds, as
            they predict the same clips.
        clips: The number of clips.
    """

    interval: Interval
    deviation: float
    mended: int
    broken: int
    p_value: float | None
    clips: int


def compare_seeds(values: npt.ArrayLike, baseline: npt.ArrayLike) -> SeedDifference:
    """Compares results [seeds] with the baseline's of the same seeds.

    Raises:
        ValueError: If there are no results, or their numbers differ.
    """
    values, baseline = np.asarray(values, float), np.asarray(baseline, float)
    if values.ndim != 1 or values.shape != baseline.shape or not values.size:
        raise ValueError(
            f"Expected as many numbers of each, got {values.shape}, {baseline.shape}."
        )
    differences = values - baseline
    count, mean = len(differences), float(differences.mean())
    if count < 2:
        return SeedDifference(Interval(mean), None, None, count)
    deviation = float(differences.std(ddof=1))
    # Student's test rejects any nonzero difference if the spread is only rounding.
    if deviation <= _ROUNDING * max(1.0, abs(mean)):
        p_value = 2 * 0.5**count if abs(mean) > _ROUNDING else 1.0
        return SeedDifference(Interval(mean), 0.0, p_value, count)
    error = deviation / math.sqrt(count)
    half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * error
    p_value = 2 * stats.t.sf(abs(mean) / error, count - 1)
    interval = Interval(mean, mean - float(half), mean + float(half))
    return SeedDifference(interval, deviation, float(p_value), count)


def compare_clips(right: npt.ArrayLike, baseline: npt.ArrayLike) -> ClipDifference:
    """Compares which clips are predicted correctly, bool [seeds, clips].

    Raises:
        ValueError: If shapes differ, or there is no clip.
    """
    right, baseline = np.asarray(right, bool), np.asarray(baseline, bool)
    if right.ndim != 2 or right.shape != baseline.shape or not right.size:
        raise ValueError(
            f"Expected bool [seeds, clips] of each, got {right.shape} and"
            f" {baseline.shape}."
        )
    seeds, clips = right.shape
    sums = right.sum(axis=0) - baseline.sum(axis=0)
    mended = int((right & ~baseline).sum())
    broken = int((~right & baseline).sum())
    p_value = None
    if seeds == 1:
        changed = mended + broken
        p_value = stats.binomtest(mended, changed).pvalue if changed else 1.0
    return ClipDifference(
        interval=_bootstrap(sums / seeds),
        deviation=float((sums / seeds).std(ddof=1)) if clips > 1 else 0.0,
        mended=mended,
        broken=broken,
        p_value=None if p_value is None else float(p_value),
        clips=clips,
    )


def compare_scores(
    labels: np.ndarray,
    scores: np.ndarray,
    baseline: np.ndarray,
    right: np.ndarray,
    baseline_right: np.ndarray,
) -> ClipDifference:
    """Compares the mean average precision (mAP) of scores, by bootstrap over clips.

    The number of clips that a difference would take is told as if it were a mean over
    clips: the deviation is the bootstrap's times the square root of their number.

    Args:
        labels: Which classes each clip has, bool [clips, classes].
        scores: Scores [seeds, clips, classes].
        baseline: The baseline's.
        right: Whether all classes of a clip are right, bool [seeds, clips].
        baseline_right: The same for the baseline.

    Raises:
        ValueError: If shapes differ, or there is no clip.
    """
    if scores.shape != baseline.shape or scores.shape[1:] != labels.shape:
        raise ValueError(
            f"Expected scores [seeds, clips, classes] of clips {labels.shape}, got"
            f" {scores.shape} and {baseline.shape}."
        )
    clips = len(labels)
    counts = np.random.default_rng(0).multinomial(
        clips, np.full(clips, 1 / clips), size=_SCORE_DRAWS
    )
    # The clips themselves, and then draws of them.
    counts = np.concatenate([np.ones((1, clips), int), counts])
    differences = np.mean(
        [
            _drawn_precisions(labels, own, counts)
            - _drawn_precisions(labels, other, counts)
            for own, other in zip(scores, baseline, strict=True)
        ],
        axis=0,
    )
    mean, drawn = differences[0], differences[1:]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return ClipDifference(
        interval=Interval(float(mean), float(low), float(high)),
        deviation=float(drawn.std(ddof=1) * math.sqrt(clips)),
        mended=int((right & ~baseline_right).sum()),
        broken=int((~right & baseline_right).sum()),
        p_value=None,
        clips=clips,
    )


def _drawn_precisions(labels, scores, counts):
    """Returns the mAP [draws] of clips that are drawn so many times [draws, clips].

    Classes that are in no drawn clip are left out.
    """
    total, known = np.zeros(len(counts)), np.zeros(len(counts))
    for there, own in zip(labels.T, scores.T, strict=True):
        order = np.argsort(-own, kind="stable")
        own, there = own[order], there[order]
        drawn = counts[:, order]
        # Of clips with equal scores, the last one tells for all.
        last = np.append(np.flatnonzero(np.diff(own)), len(own) - 1)
        found = np.cumsum(drawn * there, axis=1)[:, last]
        named = np.cumsum(drawn, axis=1)[:, last]
        steps = np.diff(found, axis=1, prepend=0)
        sums = (steps * found / np.maximum(named, 1)).sum(axis=1)
        has = found[:, -1] > 0
        total += np.where(has, sums / np.maximum(found[:, -1], 1), 0)
        known += has
    return total / np.maximum(known, 1)


def _bootstrap(values) -> Interval:
    # Differences take few values, so drawing their counts is drawing clips.
    levels, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(
        len(values), counts / len(values), size=_DRAWS
    )
    means = drawn @ levels / len(values)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values adjusted for multiple tests by Holm's method.

    Comparisons that are not tested have None, and keep it.

    Reference: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    tested = [(p, index) for index, p in enumerate(p_values) if p is not None]
    adjusted, largest = list(p_values), 0.0
    for rank, (p, index) in enumerate(sorted(tested)):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = largest
    return adjusted


def seeds_needed(deviation: float, effect: float) -> int | None:
    """Returns the number of seeds that show an effect with a power of 80%, at least 2.

    It is None if a million seeds do not suffice. `deviation` is the standard deviation
    of paired differences over seeds, `effect` the true difference.
    """
    power = functools.partial(_power, deviation=deviation, effect=effect)
    if power(_MOST) < POWER:
        return None
    counts = range(2, _MOST + 1)
    return counts[bisect.bisect_left(counts, POWER, key=power)]


def _power(count, deviation, effect):
    """Returns the power of Student's paired test with a number of pairs."""
    if not deviation:
        return 1.0
    shift = abs(effect) * math.sqrt(count) / deviation
    limit = stats.t.ppf((1 + LEVEL) / 2, count - 1)
    if count > 1000 or shift > 30:
        return float(stats.norm.sf(limit - shift))
    return float(stats.nct.sf(limit, count - 1, shift))


def clips_needed(deviation: float, effect: float) -> int:
    """Returns the number of test clips that show an effect with a power of 80%.

    `deviation` is the standard deviation over clips, as in `ClipDifference`.
    """
    quantiles = stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER)
    return max(2, math.ceil((quantiles * deviation / effect) ** 2))


def smallest_shown(deviation: float, seeds: int) -> float | None:
    """Returns the difference that a number of seeds shows with a power of 80%.

    It is None for one seed, or if paired differences do not vary.
    """
    if seeds < 2 or not deviation:
        return None

    def excess(effect):
        return _power(seeds, deviation, effect) - POWER

    return float(optimize.brentq(excess, 0.0, 1e3 * deviation))
