"""The report of a comparison: one HTML file that needs no network, and its JSON."""

import dataclasses
import json
from pathlib import Path

import jinja2
import yaml

from grw_tf.common.replacing import replacing
from grw_tf.comparison import charts, row_charts
from grw_tf.comparison.findings import find
from grw_tf.comparison.outcomes import ACCURACY, METRICS
from grw_tf.comparison.plan import Plan

HTML_FILE, JSON_FILE = "report.html", "report.json"
SHOWN_CLASSES = 20
_TEMPLATES = Path(__file__).parent / "templates"
_STEADINESS = ("label_changes_per_second", "probability_change", "order_accuracy")


@dataclasses.dataclass(frozen=True)
class Written:
    """A report: its `findings`, and a `summary` of a few lines."""

    findings: dict
    summary: str


def write_report(plan: Plan, seeds, command) -> Written:
    """Writes report.html and report.json of the seeds that have run.

    Args:
      plan: the comparison.
      seeds: those to report.
      command: by which it was asked for.

    Raises:
      ValueError, OSError: as `find`, or if a file cannot be written.
    """
    findings = find(plan, seeds, command)
    files = {
        JSON_FILE: json.dumps(findings, indent=1, allow_nan=False) + "\n",
        HTML_FILE: render(findings),
    }
    for name, content in files.items():
        with replacing(plan.folder / name) as unfinished:
            # Names of files may be no text.
            unfinished.write_text(content, encoding="utf-8", errors="replace")
    return Written(findings, summarize(findings))


def render(findings) -> str:
    """Returns the report as HTML, its findings within as JSON."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "signed": _signed,
        "fixed": lambda value, digits=1: _minus(f"{value:.{digits}f}"),
        "yaml": lambda value: yaml.safe_dump(value, sort_keys=False),
    }
    metrics = {metric.key: metric for metric in METRICS}
    shown = [metrics[key] for key in findings["metrics"]]
    return environment.get_template("report.html.j2").render(
        findings=findings,
        metrics=shown,
        colours=charts.colours(findings),
        places=charts.classes_of(findings["trajectories"])
        if findings["trajectories"]
        else {},
        accuracy_chart=row_charts.value_chart(findings, ACCURACY),
        difference_chart=row_charts.difference_chart(findings, ACCURACY),
        streaming_chart=charts.streaming_chart(findings),
        steadiness_charts=[
            chart
            for key in _STEADINESS
            if (chart := row_charts.value_chart(findings, metrics[key]))
        ],
        training_charts=charts.training_charts(findings),
        trajectory_charts={
            name: charts.trajectory_chart(findings, name)
            for name in (findings["trajectories"] or {"panels": {}})["panels"]
        },
        shown_classes=SHOWN_CLASSES,
        checks=fairness(findings),
    )


def fairness(findings) -> list[tuple[bool, str]]:
    """Returns what was checked of the runs, and whether it holds, in words."""
    runs = [run for run in findings["runs"] if run["state"] == "finished"]
    seeds = sorted({run["seed"] for run in runs})
    checks = []
    for what, told in (
        ("weights", "start from the same weights"),
        ("clips", "see the same clips in the same order, in the first steps at least"),
    ):
        differing = [
            seed
            for seed in seeds
            if len({r["start"][what] for r in runs if r["seed"] == seed}) > 1
        ]
        checks.append(
            (
                not differing,
                f"All variants of a seed {told}."
                if not differing
                else f"Not all variants of the seeds {differing} {told}.",
            )
        )
    steps = sorted({run["steps"] for run in runs})
    checks.append(
        (
            len(steps) < 2,
            f"All runs took {' or '.join(map(str, steps))} steps."
            if steps
            else "No run has finished.",
        )
    )
    for key, held, broken in (
        (
            "is_training",
            "No file of test clips is trained on",
            "Test clips are trained on",
        ),
        (
            "is_validation",
            "Checkpoints were chosen by other clips than the test's",
            "The test clips are those that checkpoints were chosen by",
        ),
    ):
        found = findings["test"][key]
        checks.append((not found, f"{broken if found else held}."))
    return checks


def summarize(findings) -> str:
    """Returns the verdict and a table of the main numbers, as text."""
    verdict = findings["verdict"]
    metrics = {metric.key: metric for metric in METRICS}
    width = max(len(variant["name"]) for variant in findings["variants"])
    lines = [f"{verdict['headline']}. {' '.join(verdict['sentences'])}", ""]
    keys = [key for key in findings["metrics"] if key != "macro_f1"]
    titles = [metrics[key].title for key in keys]
    lines.append(f"{'':{width}}  {'  '.join(titles)}")
    for variant in findings["variants"]:
        cells = []
        for key, title in zip(keys, titles, strict=True):
            mean = findings["metrics"][key][variant["name"]]["mean"]
            scale = metrics[key].scale
            told = "-" if mean is None else f"{scale * mean:.{1 if scale > 1 else 3}f}"
            cells.append(f"{told:>{len(title)}}")
        lines.append(f"{variant['name']:{width}}  {'  '.join(cells)}")
    return "\n".join(lines)


def _signed(value, digits=1):
    # Nothing is neither more nor less.
    sign = "+" if round(value, digits) else ""
    return _minus(f"{round(value, digits) + 0.0:{sign}.{digits}f}")


def _minus(told):
    return told.replace("-", "−")
