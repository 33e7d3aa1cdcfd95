"""The differences between a comparison's variants and its baseline."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from grw_tf.comparison.findings import (
    ClassChange,
    ClassFound,
    Difference,
    MetricFound,
)
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.outcomes import METRICS, Metric, Outcome, judged_metric
from grw_tf.evaluation.paired_statistics import (
    ClipDifference,
    compare_clips,
    compare_scores,
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
    names: Sequence[str],
    seeds: Sequence[int],
    measured: AllMeasured,
    metrics: Sequence[Metric] = METRICS,
    by_clip: Callable[..., ClipDifference | None] | None = None,
) -> tuple[dict[str, dict[str, MetricFound]], dict[str, ClipDifference | None]]:
    """Compares the variants, the baseline first, with the baseline.

    Args:
        names: Names of the variants.
        seeds: The seeds.
        measured: What is compared.
        metrics: The metrics to compare.
        by_clip: Function from name, seeds and measured to the difference paired by
            clip; by default that in accuracy.

    Returns:
        The metrics that any run has, by key and by variant, judged; and the differences
        paired by clip, by variant except the baseline.
    """
    compared = {
        metric.key: metric_differences(metric, names, seeds, measured)
        for metric in metrics
    }
    known = {
        key: found
        for key, found in compared.items()
        if any(value is not None for each in found.values() for value in each.values)
    }
    difference = by_clip or _difference_in_accuracy
    clips = {name: difference(name, seeds, measured) for name in names[1:]}
    return judged(known, clips), clips


def _difference_in_accuracy(name, seeds, measured):
    pair = paired_right(name, seeds, measured)
    return compare_clips(*pair) if pair else None


def difference_in_precision(
    name: str, seeds: Sequence[int], outcomes: Outcomes
) -> ClipDifference | None:
    """Returns a variant's difference in mAP from the baseline, paired by clip.

    It is None without a seed that both have finished.
    """
    pair = paired_right(name, seeds, outcomes)
    if pair is None:
        return None
    both = [s for s in seeds if {(name, s), (BASELINE, s)} <= outcomes.keys()]
    own, theirs = (
        np.array([outcomes[variant, seed].scores for seed in both])
        for variant in (name, BASELINE)
    )
    there = np.asarray(outcomes[BASELINE, both[0]].there)
    return compare_scores(there, own, theirs, *pair)


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
    judged_key = judged_metric(metrics).key
    return {
        key: _judged(key, found, clips, judged_key) for key, found in metrics.items()
    }


def _judged(key, compared, clips, judged_key):
    differences = {
        name: found.difference for name, found in compared.items() if found.difference
    }
    adjusted = holm([difference.p_value for difference in differences.values()])
    result = dict(compared)
    for (name, difference), p_value in zip(differences.items(), adjusted, strict=True):
        shown = p_value is not None and p_value < _SIGNIFICANT
        if key == judged_key:
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

    A variant counts over the seeds that it and the baseline have finished. With several
    labels a clip, the predictions of a class are whether it is named in its clips.
    """
    first = next(iter(outcomes.values()), None)
    if first is not None and first.there is not None:
        return _label_changes(class_names, names, seeds, outcomes, first.there)
    paired = {
        name: pair for name in names if (pair := paired_right(name, seeds, outcomes))
    }
    if BASELINE not in paired:
        return []
    labels = np.array(next(iter(outcomes.values())).labels)
    found = []
    for class_name in class_names:
        of_class = labels == class_name
        variants = {
            name: _class_change(right[:, of_class], baseline[:, of_class])
            for name, (right, baseline) in paired.items()
        }
        found.append(ClassFound(class_name, int(of_class.sum()), variants))
    return _most_changed(found)


def _label_changes(class_names, names, seeds, outcomes, there):
    found = []
    for index, class_name in enumerate(class_names):
        of_class = there[:, index]
        variants = {}
        for name in names:
            both = [s for s in seeds if {(name, s), (BASELINE, s)} <= outcomes.keys()]
            if both:
                own, theirs = (
                    np.stack([outcomes[v, s].named[of_class, index] for s in both])
                    for v in (name, BASELINE)
                )
                variants[name] = _class_change(own, theirs)
        if BASELINE not in variants:
            return []
        found.append(ClassFound(class_name, int(of_class.sum()), variants))
    return _most_changed(found)


def _class_change(own, theirs):
    """Compares right predictions of a class's clips, bool [seeds, clips]."""
    return ClassChange(
        right=float(own.sum(axis=1).mean()),
        change=float((own.sum() - theirs.sum()) / len(own)),
        mended=int((own & ~theirs).sum()),
        broken=int((~own & theirs).sum()),
    )


def _most_changed(found):
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
