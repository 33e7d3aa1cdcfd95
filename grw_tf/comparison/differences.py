"""The differences between a comparison's variants and its baseline."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from grw_tf.comparison.findings import (
    ClassChange,
    ClassFound,
    Difference,
    MetricFound,
)
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.outcomes import ACCURACY, METRICS, Metric, Outcome
from grw_tf.evaluation.paired_statistics import (
    ClipDifference,
    compare_clips,
    compare_seeds,
    holm,
)

_SIGNIFICANT = 0.05

Outcomes = Mapping[tuple[str, int], Outcome]
"""Outcomes of finished runs by (variant, seed)."""


class Measured(Protocol):
    """What is compared of a finished run."""

    @property
    def right(self) -> np.ndarray:
        """Whether each prediction is correct, bool [clips]."""

    def value(self, key: str) -> float | None:
        """Returns a metric by its key, or None if it was not measured."""


AllMeasured = Mapping[tuple[str, int], Measured]
"""What is compared of finished runs, by (variant, seed)."""


def compare_all(
    names: Sequence[str], seeds: Sequence[int], measured: AllMeasured
) -> tuple[dict[str, dict[str, MetricFound]], dict[str, ClipDifference | None]]:
    """Compares the variants, the baseline first, with the baseline.

    Returns:
        The metrics that any run has, by key and by variant, judged; and the differences
        paired by clip, by variant except the baseline.
    """
    compared = {
        metric.key: metric_differences(metric, names, seeds, measured)
        for metric in METRICS
    }
    known = {
        key: found
        for key, found in compared.items()
        if any(value is not None for each in found.values() for value in each.values)
    }
    paired = {name: paired_right(name, seeds, measured) for name in names[1:]}
    clips = {
        name: compare_clips(*pair) if pair else None for name, pair in paired.items()
    }
    return judged(known, clips), clips


def metric_differences(
    metric: Metric, names: Sequence[str], seeds: Sequence[int], measured: AllMeasured
) -> dict[str, MetricFound]:
    """Returns a metric of each variant by name, and its difference from the baseline.

    Differences are over the seeds that both have finished, and not judged yet.
    """

    def values(name):
        found = [measured.get((name, seed)) for seed in seeds]
        return [each.value(metric.key) if each else None for each in found]

    baseline, compared = values(BASELINE), {}
    for name in names:
        own = values(name)
        there = [value for value in own if value is not None]
        pairs = [pair for pair in zip(own, baseline, strict=True) if None not in pair]
        difference = None
        if name != BASELINE and pairs:
            found = compare_seeds(*zip(*pairs, strict=True))
            difference = Difference(**vars(found), adjusted_p_value=None, shown=False)
        compared[name] = MetricFound(
            values=tuple(own),
            mean=float(np.mean(there)) if there else None,
            deviation=float(np.std(there, ddof=1)) if len(there) > 1 else None,
            difference=difference,
        )
    return compared


def judged(
    metrics: Mapping[str, Mapping[str, MetricFound]],
    clips: Mapping[str, ClipDifference | None],
) -> dict[str, dict[str, MetricFound]]:
    """Returns metrics whose differences have adjusted p-values, and are shown or not.

    The metrics are by key, and the differences paired by clip are by variant.
    """
    return {key: _judged(key, found, clips) for key, found in metrics.items()}


def _judged(key, compared, clips):
    differences = {
        name: found.difference for name, found in compared.items() if found.difference
    }
    adjusted = holm([difference.p_value for difference in differences.values()])
    result = dict(compared)
    for (name, difference), p_value in zip(differences.items(), adjusted, strict=True):
        shown = p_value is not None and p_value < _SIGNIFICANT
        if key == ACCURACY.key:
            # It must be shown for new clips, too.
            ends = clips[name].interval
            shown = shown and (ends.low > 0 or ends.high < 0)
        difference = dataclasses.replace(
            difference, adjusted_p_value=p_value, shown=bool(shown)
        )
        result[name] = dataclasses.replace(compared[name], difference=difference)
    return result


def class_changes(
    class_names: Sequence[str],
    names: Sequence[str],
    seeds: Sequence[int],
    outcomes: Outcomes,
) -> list[ClassFound]:
    """Returns correct predictions by class, the classes that change most first.

    A variant counts over the seeds that it and the baseline have finished.
    """
    paired = {
        name: pair for name in names if (pair := paired_right(name, seeds, outcomes))
    }
    if BASELINE not in paired:
        return []
    labels = np.array(next(iter(outcomes.values())).labels)
    found = []
    for class_name in class_names:
        of_class = labels == class_name
        variants = {}
        for name, (right, baseline) in paired.items():
            own, theirs = right[:, of_class], baseline[:, of_class]
            variants[name] = ClassChange(
                right=float(own.sum(axis=1).mean()),
                change=float((own.sum() - theirs.sum()) / len(own)),
                mended=int((own & ~theirs).sum()),
                broken=int((~own & theirs).sum()),
            )
        found.append(ClassFound(class_name, int(of_class.sum()), variants))
    return sorted(
        found,
        key=lambda each: -max(abs(v.change) for v in each.variants.values()),
    )


def paired_right(
    name: str, seeds: Sequence[int], measured: AllMeasured
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns which clips a variant and the baseline predict correctly.

    Returns:
        Two arrays, bool [seeds, clips], of the seeds that both have finished; None if
        there are none.
    """
    pairs = [
        (measured[name, seed].right, measured[BASELINE, seed].right)
        for seed in seeds
        if (name, seed) in measured and (BASELINE, seed) in measured
    ]
    if not pairs:
        return None
    right, baseline = zip(*pairs, strict=True)
    return np.stack(right), np.stack(baseline)


def paired_values(found: Mapping[str, MetricFound], name: str) -> tuple[float, ...]:
    """Returns a metric's differences of the seeds that a variant and the baseline have.

    The metric is by variant.
    """
    pairs = zip(found[name].values, found[BASELINE].values, strict=True)
    return tuple(own - b for own, b in pairs if own is not None and b is not None)
