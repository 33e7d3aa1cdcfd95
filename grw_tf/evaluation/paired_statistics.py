"""What paired runs say of a difference, and what they cannot say."""

import dataclasses
import math

import numpy as np
from scipy import optimize, stats

LEVEL = 0.95
POWER = 0.8
_DRAWS = 10_000
_MOST = 10**6
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; the ends are None where there is none."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval is all above 0, or all below."""
        return self.low is not None and (self.low > 0 or self.high < 0)


@dataclasses.dataclass(frozen=True)
class SeedDifference:
    """A difference to the baseline, paired by seed.

    Attributes:
        interval: Of the mean over seeds, by Student's t; it has no ends if there is one
            seed, or if all differ by the same.
        deviation: Standard deviation over seeds; None of one.
        p_value: Two-sided, of no difference, by Student's t; if all seeds differ by the
            same, by the exact test of signs; None of one seed.
        seeds: How many.
    """

    interval: Interval
    deviation: float | None
    p_value: float | None
    seeds: int


@dataclasses.dataclass(frozen=True)
class ClipDifference:
    """A difference in right predictions, paired by clip, of the models trained here.

    Attributes:
        interval: Of the mean over clips, by bootstrap over clips.
        deviation: Standard deviation over clips of the mean difference over seeds.
        mended, broken: How many predictions, of all seeds together, are right where the
            baseline's is wrong, and wrong where the baseline's is right.
        p_value: McNemar's exact one, two-sided; None of several seeds, which predict
            the same clips.
        clips: How many.
    """

    interval: Interval
    deviation: float
    mended: int
    broken: int
    p_value: float | None
    clips: int


def compare_seeds(values, baseline) -> SeedDifference:
    """Compares numbers with the baseline's of the same seeds.

    Args:
        values, baseline: [seeds].

    Raises:
        ValueError: If there are none, or not as many.
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
    # Of equal differences, but for rounding: Student's test would be sure of any.
    if deviation <= _ROUNDING * max(1.0, abs(mean)):
        p_value = 2 * 0.5**count if abs(mean) > _ROUNDING else 1.0
        return SeedDifference(Interval(mean), 0.0, p_value, count)
    error = deviation / math.sqrt(count)
    half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * error
    p_value = 2 * stats.t.sf(abs(mean) / error, count - 1)
    return SeedDifference(
        Interval(mean, mean - float(half), mean + float(half)),
        deviation,
        float(p_value),
        count,
    )


def compare_clips(right, baseline) -> ClipDifference:
    """Compares which clips are predicted rightly with the baseline's.

    Args:
        right, baseline: bool [seeds, clips].

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


def _bootstrap(values) -> Interval:
    # Differences have few values: drawing how often each comes is drawing clips.
    levels, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(
        len(values), counts / len(values), size=_DRAWS
    )
    means = drawn @ levels / len(values)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def holm(p_values):
    """Returns p-values adjusted for how many there are, by Holm's method.

    Args:
        p_values: A list of numbers, and of None for what is not tested.

    Reference: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    tested = [index for index, p in enumerate(p_values) if p is not None]
    adjusted, largest = list(p_values), 0.0
    for rank, index in enumerate(sorted(tested, key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(tested) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def seeds_needed(deviation, effect) -> int | None:
    """Returns how many seeds would show a difference four times out of five.

    Args:
        deviation: Standard deviation of paired differences over seeds.
        effect: The true difference.

    Returns:
        At least 2; None beyond a million.
    """
    if _power(_MOST, deviation, effect) < POWER:
        return None
    low, high = 1, _MOST
    while high - low > 1:
        middle = (low + high) // 2
        if _power(middle, deviation, effect) < POWER:
            low = middle
        else:
            high = middle
    return high


def _power(count, deviation, effect):
    """Returns how often Student's paired test of so many shows a difference."""
    if count < 2:
        return 0.0
    if not deviation:
        return 1.0
    shift = abs(effect) * math.sqrt(count) / deviation
    limit = stats.t.ppf((1 + LEVEL) / 2, count - 1)
    if count > 1000 or shift > 30:
        return float(stats.norm.sf(limit - shift))
    return float(stats.nct.sf(limit, count - 1, shift))


def clips_needed(deviation, effect) -> int:
    """Returns how many test clips would show a difference four times out of five.

    Args:
        deviation: Standard deviation over clips, of `ClipDifference`.
        effect: The true difference.
    """
    quantiles = stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER)
    return max(2, math.ceil((quantiles * deviation / effect) ** 2))


def smallest_shown(deviation, seeds) -> float | None:
    """Returns the difference that so many seeds show four times out of five.

    Args:
        deviation: Standard deviation of paired differences over seeds.
        seeds: How many.

    Returns:
        None of one seed, and if the seeds do not differ.
    """
    if seeds < 2 or not deviation:
        return None
    return float(
        optimize.brentq(
            lambda effect: _power(seeds, deviation, effect) - POWER,
            0.0,
            1e3 * deviation,
        )
    )
