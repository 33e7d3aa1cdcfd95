"""The differences of a comparison's variants to its baseline, as JSON holds them."""

import dataclasses

import numpy as np

from grw_tf.comparison.outcomes import ACCURACY
from grw_tf.comparison.variants import BASELINE
from grw_tf.evaluation.paired_statistics import compare_clips, compare_seeds, holm

_SIGNIFICANT = 0.05


def metric_differences(metric, names, seeds, outcomes):
    """Returns a metric's numbers of each variant, and its differences.

    Args:
      metric: a `Metric`.
      names: of the variants.
      seeds: in the order of the numbers.
      outcomes: `Outcome`s of finished runs by (variant, seed).

    Returns:
      By variant: "values" by seed, None where there is none; their "mean" and
      "deviation"; and of all but the baseline a "difference", over the seeds that both
      have finished.
    """

    def values(name):
        found = [outcomes.get((name, seed)) for seed in seeds]
        return [outcome and outcome.value(metric.key) for outcome in found]

    baseline, compared = values(BASELINE), {}
    for name in names:
        own = values(name)
        there = [value for value in own if value is not None]
        entry = {
            "values": own,
            "mean": float(np.mean(there)) if there else None,
            "deviation": float(np.std(there, ddof=1)) if len(there) > 1 else None,
        }
        pairs = [pair for pair in zip(own, baseline, strict=True) if None not in pair]
        if name != BASELINE and pairs:
            found = compare_seeds(*zip(*pairs, strict=True))
            entry["difference"] = dataclasses.asdict(found)
        compared[name] = entry
    return compared


def clip_difference(name, seeds, outcomes):
    """Returns a variant's `ClipDifference` as a dict, None if there is nothing to pair.

    Args:
      name: of the variant.
      seeds, outcomes: as `metric_differences`.
    """
    pair = paired_right(name, seeds, outcomes)
    return dataclasses.asdict(compare_clips(*pair)) if pair else None


def judge_differences(metrics, clips):
    """Adds to each difference its adjusted p-value, and whether it is "shown".

    Args:
      metrics: of `metric_differences`, by key; they are changed.
      clips: of `clip_difference`, by variant.
    """
    for key, compared in metrics.items():
        differences = {
            name: entry["difference"]
            for name, entry in compared.items()
            if "difference" in entry
        }
        adjusted = holm([d["p_value"] for d in differences.values()])
        for (name, difference), p_value in zip(
            differences.items(), adjusted, strict=True
        ):
            difference["adjusted_p_value"] = p_value
            shown = p_value is not None and p_value < _SIGNIFICANT
            if key == ACCURACY.key:
                # Of new clips, too.
                shown = shown and _excludes_zero(clips[name]["interval"])
            difference["shown"] = bool(shown)


def _excludes_zero(interval):
    return interval["low"] > 0 or interval["high"] < 0


def class_changes(class_names, names, seeds, outcomes):
    """Returns for each class how many clips are right, those that change most first.

    Args:
      class_names: names of the classes.
      names: of the variants.
      seeds, outcomes: as `metric_differences`.

    Returns:
      Dicts of a class' "name", its "clips", and by variant, over the seeds that it and
      the baseline have finished: "right" clips and their "change" to the baseline, both
      means over seeds, and the sums of "mended" and "broken" predictions.
    """
    paired = {name: paired_right(name, seeds, outcomes) for name in names}
    paired = {name: pair for name, pair in paired.items() if pair}
    if BASELINE not in paired:
        return []
    labels = np.array(next(iter(outcomes.values())).labels)
    found = []
    for class_name in class_names:
        of_class = labels == class_name
        variants = {}
        for name, (right, baseline) in paired.items():
            own, theirs = right[:, of_class], baseline[:, of_class]
            variants[name] = {
                "right": float(own.sum(axis=1).mean()),
                "change": float((own.sum() - theirs.sum()) / len(own)),
                "mended": int((own & ~theirs).sum()),
                "broken": int((~own & theirs).sum()),
            }
        clips = int(of_class.sum())
        found.append({"name": class_name, "clips": clips, "variants": variants})
    return sorted(
        found,
        key=lambda each: -max(abs(v["change"]) for v in each["variants"].values()),
    )


def paired_right(name, seeds, outcomes):
    """Returns which clips a variant and the baseline predict rightly.

    Args:
      name: of the variant.
      seeds, outcomes: as `metric_differences`.

    Returns:
      Two arrays, bool [seeds, clips], of the seeds that both have finished; None if
      there are none.
    """
    pairs = [
        (outcomes[name, seed].right, outcomes[BASELINE, seed].right)
        for seed in seeds
        if (name, seed) in outcomes and (BASELINE, seed) in outcomes
    ]
    return tuple(map(np.stack, zip(*pairs, strict=True))) if pairs else None
