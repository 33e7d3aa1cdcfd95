"""The findings of a comparison: every number of its report, as JSON holds them."""

import collections
import dataclasses
import datetime
import importlib.metadata
import os
import platform

import numpy as np

from grw_tf.comparison.differences import (
    class_changes,
    clip_difference,
    judge_differences,
    metric_differences,
)
from grw_tf.comparison.outcomes import CURVES, METRICS, read_outcomes
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.trajectories import find_trajectories
from grw_tf.comparison.verdict import judge

_PACKAGES = ("grw_tf", "tensorflow", "tf-models-official", "tf_keras", "ai-edge-litert")


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
        metric.key: metric_differences(metric, names, seeds, outcomes)
        for metric in METRICS
    }
    metrics = {
        key: found
        for key, found in metrics.items()
        if any(v is not None for each in found.values() for v in each["values"])
    }
    clips = {name: clip_difference(name, seeds, outcomes) for name in names[1:]}
    judge_differences(metrics, clips)
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
        "classes": class_changes(plan.class_names, names, seeds, outcomes),
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
        "is_training": plan.test_is_training,
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
