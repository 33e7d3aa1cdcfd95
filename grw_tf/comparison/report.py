"""Writes the report of a comparison: one HTML file that needs no network, and JSON."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import jinja2
import yaml

from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import text_table
from grw_tf.comparison import charts, row_charts
from grw_tf.comparison.findings import FINISHED, Findings
from grw_tf.comparison.gather import find
from grw_tf.comparison.number_text import fixed, mean_text, signed
from grw_tf.comparison.outcomes import LABEL_METRICS, METRICS, judged_metric
from grw_tf.comparison.plan import Plan

HTML_FILE, JSON_FILE = "report.html", "report.json"
SHOWN_CLASSES = 20
_TEMPLATES = Path(__file__).parent / "templates"
_STEADINESS = ("label_changes_per_second", "probability_change", "order_accuracy")


def write_report(plan: Plan, seeds: Sequence[int], command: str) -> Findings:
    """Writes report.html and report.json of the seeds that have run.

    The report quotes the command line that asked for it.

    Returns:
        The findings in the report.

    Raises:
        ValueError: As `find`.
        OSError: As `find`, or if a file cannot be written.
    """
    findings = find(plan, seeds, command)
    files = {
        JSON_FILE: json.dumps(findings.to_json(), indent=1, allow_nan=False) + "\n",
        HTML_FILE: render(findings),
    }
    for name, content in files.items():
        with replacing(plan.folder / name) as unfinished:
            # Names of files need not be valid text.
            unfinished.write_text(content, encoding="utf-8", errors="replace")
    return findings


def render(findings: Findings) -> str:
    """Returns the report as HTML, which holds its findings as JSON."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "signed": signed,
        "fixed": fixed,
        "yaml": functools.partial(yaml.safe_dump, sort_keys=False),
    }
    metrics = {metric.key: metric for metric in (*METRICS, *LABEL_METRICS)}
    judged = judged_metric(findings.metrics)
    trajectories = findings.trajectories
    shown = [metrics[key] for key in findings.metrics]
    return environment.get_template("report.html.j2").render(
        findings=findings,
        metrics=shown,
        judged=judged,
        colors=charts.colors(findings),
        places=charts.classes_of(trajectories) if trajectories else {},
        accuracy_chart=row_charts.value_chart(findings, judged),
        difference_chart=row_charts.difference_chart(findings, judged),
        gap_chart=row_charts.value_chart(findings, metrics["gap"]),
        streaming_chart=charts.streaming_chart(findings),
        steadiness_charts=[
            chart
            for key in _STEADINESS
            if (chart := row_charts.value_chart(findings, metrics[key]))
        ],
        training_charts=charts.training_charts(findings),
        trajectory_charts={
            name: charts.trajectory_chart(findings, trajectories, name)
            for name in trajectories.panels
        }
        if trajectories
        else {},
        shown_classes=SHOWN_CLASSES,
        checks=fairness(findings),
    )


def fairness(findings: Findings) -> list[tuple[bool, str]]:
    """Returns the checks of the runs: whether each holds, and in words."""
    runs = [run for run in findings.runs if run.state == FINISHED]
    seeds = sorted({run.seed for run in runs})
    checks = []
    for what, told in (
        ("weights", "start from the same weights"),
        ("clips", "see the same clips in the same order, in the first steps at least"),
    ):
        starts = {(run.seed, run.start[what]) for run in runs}
        differing = [s for s in seeds if sum(seed == s for seed, _ in starts) > 1]
        who = f"Not all variants of the seeds {differing}" if differing else ""
        checks.append((not who, f"{who or 'All variants of a seed'} {told}."))
    steps = sorted({run.steps for run in runs})
    took = f"All runs took {' or '.join(map(str, steps))} steps."
    checks.append((len(steps) < 2, took if steps else "No run has finished."))
    test = findings.test
    for broken, told, held in (
        (
            test.is_training,
            "Test clips are trained on.",
            "No file of test clips is trained on.",
        ),
        (
            test.is_validation,
            "The test clips are those that checkpoints were chosen by.",
            "No checkpoint was chosen by the test clips.",
        ),
    ):
        checks.append((not broken, told if broken else held))
    return checks


def summarize(findings: Findings) -> str:
    """Returns the verdict, and a table of means ± deviations over seeds, as text."""
    verdict = findings.verdict
    names = [variant.name for variant in findings.variants]
    rows = [["", *names]]
    for metric in dict.fromkeys((*METRICS, *LABEL_METRICS)):
        if found := findings.metrics.get(metric.key):
            means = (mean_text(found[name], metric) for name in names)
            rows.append([metric.title_with_unit, *means])
    words = f"{verdict.headline}. {' '.join(verdict.sentences)}"
    return f"{words}\n\n{text_table(rows)}"
