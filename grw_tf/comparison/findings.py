"""The findings of a comparison: every number of its report, as JSON holds them."""

import collections
import dataclasses
import datetime
import importlib.metadata
import os
import platform

import numpy as np

from grw_tf.comparison.outcomes import ACCURACY, CURVES, METRICS, read_outcomes
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.statistics import compare_clips, compare_seeds, holm
from grw_tf.comparison.trajectories import find_trajectories
from grw_tf.comparison.variants import BASELINE
from grw_tf.comparison.verdict import judge

_PACKAGES = ("grw_tf", "tensorflow", "tf-models-official", "tf_keras", "ai-edge-litert")
_SIGNIFICANT = 0.05


def find(plan: Plan, seeds, command) -> dict:
    """Returns what a comparison has found so far.

    Args:
      plan: the comparison.
      seeds: those to look at.
      command: by which it was asked for.

    Raises:
      ValueError, OSError: as `read_outcomes`.
    """
    runs = [run for run in plan.runs() if run.seed in set(seeds)]
    outcomes = read_outcomes(runs)
    names = [variant.name for variant in plan.variants]
    metrics = {
        metric.key: _compare_metric(metric, names, seeds, outcomes)
        for metric in METRICS
    }
    metrics = {
        key: found
        for key, found in metrics.items()
        if any(v is not None for each in found.values() for v in each["values"])
    }
    clips = {name: _compare_clips(name, seeds, outcomes) for name in names[1:]}
    _judge_differences(metrics, clips)
    findings = {
        "command": command,
        "written": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "seeds": list(seeds),
        "planned_seeds": len(plan.seeds),
        "variants": [
            {
                "name": variant.name,
                "acts": variant.describe(),
                "layers": list(variant.config.smoothing.layers),
                "methods": list(variant.config.regularization.methods),
            }
            for variant in plan.variants
        ],
        "runs": [_describe(run, outcomes.get((run.variant, run.seed))) for run in runs],
        "test": _test_set(plan, outcomes),
        "metrics": metrics,
        "clips": clips,
        "classes": _compare_classes(plan, names, seeds, outcomes),
        "streaming": _curves(plan, names, seeds, outcomes),
        "training": _histories(names, outcomes),
        "trajectories": find_trajectories(plan, names, seeds, outcomes),
        "costs": _costs(plan, names, seeds, outcomes),
        "remarks": list(plan.remarks),
        "model": dataclasses.asdict(plan.model_config),
        "config": plan.shared,
        "experiment": plan.experiment,
        "versions": _versions(),
    }
    return findings | {"verdict": judge(findings)}


def _describe(run, outcome):
    described = {"variant": run.variant, "seed": run.seed, "folder": str(run.folder)}
    if outcome is None:
        failure = run.failure()
        state = "failed" if failure else "not run yet"
        return described | {"state": state, "reason": failure}
    kept = ("start", "steps", "checkpoint_step", "embedding", "window")
    return (
        described
        | {"state": "finished", "reason": ""}
        | {name: outcome.measures[name] for name in kept}
        | {metric.key: outcome.value(metric.key) for metric in METRICS}
        | {"clips_per_second": outcome.clips_per_second()}
    )


def _test_set(plan, outcomes):
    found = {
        "records": plan.test_records,
        "is_validation": plan.test_is_validation,
        "classes": list(plan.class_names),
        "clips": 0,
    }
    for outcome in outcomes.values():
        counts = collections.Counter(outcome.labels)
        majority, count = counts.most_common(1)[0]
        return found | {
            "clips": len(outcome.labels),
            "majority": majority,
            "majority_share": count / len(outcome.labels),
        }
    return found


def _compare_metric(metric, names, seeds, outcomes):
    """Returns a metric's numbers of each variant, and its differences."""

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


def _compare_clips(name, seeds, outcomes):
    pairs = [
        (outcomes[name, seed].right, outcomes[BASELINE, seed].right)
        for seed in seeds
        if (name, seed) in outcomes and (BASELINE, seed) in outcomes
    ]
    if not pairs:
        return None
    return dataclasses.asdict(compare_clips(*map(np.stack, zip(*pairs, strict=True))))


def _judge_differences(metrics, clips):
    """Adds to each difference whether it is shown, with Holm's adjustment."""
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


def _compare_classes(plan, names, seeds, outcomes):
    """Returns for each class how many clips are right, by variant."""
    found = {}
    for name in plan.class_names:
        found[name] = {"name": name, "clips": 0, "variants": {}}
    complete = [
        seed for seed in seeds if all((name, seed) in outcomes for name in names)
    ]
    if not complete:
        return []
    labels = np.array(outcomes[BASELINE, complete[0]].labels)
    base = np.stack([outcomes[BASELINE, seed].right for seed in complete])
    right = {
        name: np.stack([outcomes[name, seed].right for seed in complete])
        for name in names
    }
    for label in plan.class_names:
        of_class = labels == label
        found[label]["clips"] = int(of_class.sum())
        for name in names:
            own, theirs = right[name][:, of_class], base[:, of_class]
            found[label]["variants"][name] = {
                "right": float(own.sum(axis=1).mean()),
                "change": float((own.sum() - theirs.sum()) / len(complete)),
                "mended": int((own & ~theirs).sum()),
                "broken": int((~own & theirs).sum()),
            }
    return sorted(
        found.values(),
        key=lambda each: -max(abs(v["change"]) for v in each["variants"].values()),
    )


def _curves(plan, names, seeds, outcomes):
    curves = {}
    for name in names:
        found = [outcomes.get((name, seed)) for seed in seeds]
        rows = [outcome.curve for outcome in found if outcome and outcome.curve]
        if rows:
            curves[name] = _band(np.array(rows))
    return {"fps": plan.model_config.fps, "curves": curves}


def _histories(names, outcomes):
    """Returns curves of trainings, means over the seeds of a variant."""
    found = {}
    for title, tag in CURVES.items():
        for split in ("train", "validation"):
            for name in names:
                runs = [
                    outcome.history[split, tag]
                    for (variant, _), outcome in outcomes.items()
                    if variant == name and (split, tag) in outcome.history
                ]
                steps = sorted(set.intersection(*map(set, runs))) if runs else []
                if steps:
                    rows = np.array([[run[step] for step in steps] for run in runs])
                    curve = {"steps": steps} | _band(rows)
                    found.setdefault(title, {}).setdefault(split, {})[name] = curve
    return found


def _band(rows):
    return {
        "mean": rows.mean(axis=0).tolist(),
        "low": rows.min(axis=0).tolist(),
        "high": rows.max(axis=0).tolist(),
        "runs": len(rows),
    }


def _costs(plan, names, seeds, outcomes):
    times = plan.timing().read()
    costs = {}
    for name in names:
        rates = [
            outcome.clips_per_second()
            for (variant, _), outcome in outcomes.items()
            if variant == name
        ]
        rates = [rate for rate in rates if rate is not None]
        cost = {"clips_per_second": float(np.median(rates)) if rates else None}
        cost |= times.get(name, {})
        first = outcomes.get((name, seeds[0]))
        if first and "export" in first.measures:
            cost["export"] = _export(first.measures["export"])
        costs[name] = cost
    return {
        "by_variant": costs,
        "batch_size": plan.timing().batch_size,
        "rounds": plan.config.timing_rounds,
        "seed": seeds[0],
    }


def _export(report):
    if "refused" in report:
        return report
    parity = report["parity"]
    return {
        "quantization": report["quantization"]["mode"],
        "megabytes": report["megabytes"],
        "operations": sum(report["operations"].values()),
        "milliseconds": parity["milliseconds"],
        "largest_difference": parity["largest_difference"],
        "clip_difference": parity["clip_difference"],
        "conversion_difference": parity["conversion_difference"],
        "agreement": parity["agreement"],
        "streams": parity["streams"],
        "frames": parity["frames"],
        "clips": parity["clips"],
        "passed": parity["passed"],
        "failures": list(parity["failures"]),
    }


def _versions():
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions | {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
