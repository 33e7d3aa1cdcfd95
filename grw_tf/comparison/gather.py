"""Gathers the findings of a comparison from what its runs have left."""

import collections
import dataclasses
import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from grw_tf.common.fingerprint import fingerprint
from grw_tf.comparison.differences import (
    Outcomes,
    class_changes,
    compare_all,
    difference_in_precision,
)
from grw_tf.comparison.findings import (
    FAILED,
    FINISHED,
    NOT_RUN,
    Band,
    ComparedClips,
    CostFound,
    CostsFound,
    ExportFound,
    Findings,
    RunFound,
    StreamingFound,
    VariantFound,
)
from grw_tf.comparison.outcomes import (
    CURVES,
    LABEL_METRICS,
    METRICS,
    read_outcomes,
)
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.right_clips import pack
from grw_tf.comparison.timing import Times
from grw_tf.comparison.trajectories import find_trajectories
from grw_tf.comparison.verdict import judge

_PACKAGES = ("grw_tf", "tensorflow", "tf-models-official", "tf_keras", "ai-edge-litert")


def find(plan: Plan, seeds: Sequence[int], command: str) -> Findings:
    """Returns what a comparison, started by a command line, has found with some seeds.

    Raises:
        ValueError: See `read_outcomes`.
        OSError: See `read_outcomes`.
    """
    runs = [run for run in plan.runs() if run.seed in set(seeds)]
    outcomes = read_outcomes(runs)
    names = [variant.name for variant in plan.variants]
    several = plan.baseline.config.has_several_labels
    metrics, clips = compare_all(
        names,
        seeds,
        outcomes,
        LABEL_METRICS if several else METRICS,
        difference_in_precision if several else None,
    )
    findings = Findings(
        command=command,
        written=datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        seeds=tuple(seeds),
        planned_seeds=len(plan.seeds),
        variants=tuple(
            VariantFound(
                name=variant.name,
                acts=variant.describe(),
                changed=variant.changed,
                layers=variant.config.smoothing.layers,
                methods=variant.config.regularization.methods,
            )
            for variant in plan.variants
        ),
        runs=tuple(_run(run, outcomes.get((run.variant, run.seed))) for run in runs),
        test=_compared_clips(plan, outcomes),
        metrics=metrics,
        clips=clips,
        classes=tuple(class_changes(plan.class_names, names, seeds, outcomes)),
        streaming=_streaming(plan, names, seeds, outcomes),
        training=histories(names, outcomes),
        trajectories=find_trajectories(plan, names, seeds, outcomes),
        costs=_costs(plan, names, seeds, outcomes),
        remarks=plan.remarks,
        model=dataclasses.asdict(plan.baseline.config),
        config=plan.baseline.experiment,
        experiment=plan.experiment,
        versions=_versions(),
    )
    return dataclasses.replace(findings, verdict=judge(findings))


def _run(run, outcome):
    described = run.variant, run.seed, str(run.folder)
    if outcome is None:
        failure = run.failure()
        return RunFound(*described, FAILED if failure else NOT_RUN, failure)
    measured = ("start", "steps", "checkpoint_step", "embedding", "window")
    return RunFound(
        *described,
        FINISHED,
        **{name: outcome.measures[name] for name in measured},
        numbers={metric.key: outcome.value(metric.key) for metric in outcome.metrics},
        clips_per_second=outcome.clips_per_second(),
        right=pack(outcome.right),
    )


def _compared_clips(plan, outcomes):
    clips = ComparedClips(
        records=str(plan.test_clips),
        is_validation=plan.test_is_validation,
        is_training=plan.test_is_training,
        classes=plan.class_names,
    )
    if not outcomes:
        return clips
    first = next(iter(outcomes.values()))
    labels = first.labels
    clips = dataclasses.replace(
        clips,
        clips=len(labels),
        fingerprint=fingerprint([np.array([first.names, labels])]),
    )
    if first.there is not None:
        # The mAP of random scores of many clips.
        shares = first.there.mean(axis=0)
        chance = float(shares[shares > 0].mean()) if shares.any() else 0.0
        return dataclasses.replace(clips, majority_share=chance)
    majority, count = collections.Counter(labels).most_common(1)[0]
    return dataclasses.replace(
        clips, majority=majority, majority_share=count / len(labels)
    )


def _streaming(plan, names, seeds, outcomes):
    curves = {}
    for name in names:
        found = [outcomes.get((name, seed)) for seed in seeds]
        if rows := [outcome.curve for outcome in found if outcome and outcome.curve]:
            curves[name] = _band(np.array(rows))
    return StreamingFound(plan.baseline.config.fps, curves)


def histories(
    names: Sequence[str], outcomes: Outcomes
) -> dict[str, dict[str, dict[str, Band]]]:
    """Returns curves of trainings, means over the seeds of a variant."""
    found: dict[str, dict[str, dict[str, Band]]] = {}
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
                    curve = _band(rows, tuple(steps))
                    found.setdefault(title, {}).setdefault(split, {})[name] = curve
    return found


def _band(rows, steps=None):
    return Band(
        mean=tuple(rows.mean(axis=0).tolist()),
        low=tuple(rows.min(axis=0).tolist()),
        high=tuple(rows.max(axis=0).tolist()),
        runs=len(rows),
        steps=steps,
    )


def _costs(plan, names, seeds, outcomes):
    timing = plan.timing()
    times = timing.read()
    costs = {}
    for name in names:
        own = [outcome for (variant, _), outcome in outcomes.items() if variant == name]
        rates = [rate for each in own if (rate := each.clips_per_second()) is not None]
        first = outcomes.get((name, seeds[0]))
        exported = first.measures.get("export") if first else None
        costs[name] = CostFound(
            **vars(times.get(name, Times())),
            clips_per_second=float(np.median(rates)) if rates else None,
            export=_export(exported) if exported else None,
        )
    return CostsFound(costs, timing.batch_size, plan.config.timing_rounds, seeds[0])


def _export(report: dict[str, Any]) -> ExportFound:
    if "refused" in report:
        return ExportFound(refused=report["refused"])
    parity = report["parity"] | report["parity"]["regret"]
    parity["failures"] = tuple(parity["failures"])
    names = {field.name for field in dataclasses.fields(ExportFound)}
    return ExportFound(
        quantization=report["quantization"]["mode"],
        megabytes=report["megabytes"],
        operations=sum(report["operations"].values()),
        **{name: value for name, value in parity.items() if name in names},
    )


def _versions():
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions | {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
