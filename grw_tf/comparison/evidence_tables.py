"""Tables and a figure of kept evidence, in the pages of docs.

A page asks for a table of a comparison, and of the metrics that follow its name:

    <!-- table: utd accuracy macro_f1 -->
    <!-- end -->
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path

from grw_tf.common.flags import option
from grw_tf.common.replacing import replacing
from grw_tf.common.suggestions import suggest
from grw_tf.common.text_table import markdown_table
from grw_tf.comparison.differences import paired_values
from grw_tf.comparison.evidence import Evidence, keep, read_evidence
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.number_text import change, interval_text, mean_text
from grw_tf.comparison.outcomes import ACCURACY, METRICS
from grw_tf.figures.differences import DifferenceRow, draw_differences

FIGURE_FILE = "evidence_accuracy.png"

# Indented marks are examples.
_TABLE = re.compile(
    r"^(<!-- table: *(?P<asked>[^\n]*?) *-->\n).*?^(<!-- end -->)",
    re.DOTALL | re.MULTILINE,
)
_METRICS = {metric.key: metric for metric in METRICS}


@dataclasses.dataclass(frozen=True)
class EvidenceConfig:
    """What to keep and to write; each is a flag."""

    add: str = option("", "A report.json of grw-compare to keep first.")
    name: str = option("", "With --add, the name of its comparison, a word.")
    docs: str = option("docs", "Folder of the pages and of the kept reports.")

    def __post_init__(self):
        if bool(self.add) != bool(self.name):
            raise ValueError(
                f"add is {self.add!r:.80} and name is {self.name!r:.80}: give both, or"
                " neither."
            )


def write_evidence(config: EvidenceConfig) -> list[Path]:
    """Keeps a report if one is given, and writes tables and figure of all kept ones.

    Returns:
        The paths of the files written.

    Raises:
        ValueError: If the report or a kept one cannot be used (`keep`,
            `read_evidence`), or a page asks for what is not there (`filled`).
        OSError: If a file cannot be read or written.
    """
    docs = Path(config.docs)
    written = [keep(config.add, docs, config.name)] if config.add else []
    evidence = read_evidence(docs)
    # All are made before the first is written.
    for page, text in [(page, filled(page, evidence)) for page in pages(docs)]:
        with replacing(page) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        written.append(page)
    if evidence:
        figure = draw_differences(
            {found.name: _rows(found) for found in evidence.values()},
            f"difference in accuracy from the {BASELINE}, points",
        )
        with replacing(docs / FIGURE_FILE) as unfinished:
            figure.savefig(unfinished, format="png", dpi=110)
        written.append(docs / FIGURE_FILE)
    return written


def pages(docs: str | os.PathLike) -> list[Path]:
    """Returns the pages with tables: those of a folder, and the README above it."""
    found = [Path(docs).parent / "README.md", *sorted(Path(docs).glob("*.md"))]
    return [page for page in found if page.exists() and _TABLE.search(_read(page))]


def filled(page: Path, evidence: Mapping[str, Evidence]) -> str:
    """Returns the text of a page with its tables made from evidence.

    Raises:
        ValueError: If the page asks for an unknown comparison or metric.
        OSError: If the page cannot be read.
    """

    def fill(match):
        name, *keys = match["asked"].split() or [""]
        if name not in evidence:
            raise ValueError(
                f"{page} asks for a table of {name!r:.80}: {suggest(name, evidence)}"
            )
        for key in keys:
            if key not in _METRICS:
                raise ValueError(
                    f"{page} asks for a table of the metric {key!r:.80}:"
                    f" {suggest(key, _METRICS)}"
                )
        table = _table(evidence[name], keys or list(evidence[name].metrics), page)
        return f"{match[1]}\n{table}\n\n{match[3]}"

    return _TABLE.sub(fill, _read(page))


def _table(found, keys, page):
    metrics = [_METRICS[key] for key in keys]
    # The longer list goes down the page.
    by_metric = len(metrics) > len(found.variants)
    header, rows = (_by_metric if by_metric else _by_variant)(found, metrics)
    seeds = ", ".join(map(str, found.seeds))
    sources = ", ".join(
        f"[{path.name}]({os.path.relpath(path, page.parent)})" for path in found.files
    )
    return (
        f"{markdown_table(header, rows)}\n\n"
        f"{found.test_clips} test clips, seeds {seeds}; from {sources}."
    )


def _by_metric(found, metrics):
    header = [""]
    for name in found.variants:
        header += [name] if name == BASELINE else [name, "difference, over seeds"]
    rows = []
    for metric in metrics:
        row, of = [metric.title_with_unit], found.metrics.get(metric.key, {})
        for name in found.variants:
            row.append(_mean(of.get(name), metric))
            if name != BASELINE:
                row.append(_over_seeds(of.get(name), metric))
        rows.append(row)
    return header, rows


def _by_variant(found, metrics):
    header, columns = [""], [found.variants]
    for metric in metrics:
        header += [metric.title_with_unit, "difference, over seeds"]
        of = found.metrics.get(metric.key, {})
        for text in (_mean, _over_seeds):
            columns.append([text(of.get(name), metric) for name in found.variants])
        if metric == ACCURACY:
            header.append("over clips")
            columns.append([_over_clips(found.clips.get(n)) for n in found.variants])
    return header, zip(*columns, strict=True)


def _mean(found, metric):
    return mean_text(found, metric) if found else "-"


def _over_seeds(found, metric):
    if not found or not found.difference:
        return ""
    difference = found.difference
    mean = change(difference.interval.mean, metric)
    interval = interval_text(difference.interval, metric)
    told = f"**{mean}**" if difference.shown else mean
    return f"{told} ({interval})" if interval else told


def _over_clips(found):
    return f"({interval_text(found.interval, ACCURACY)})" if found else ""


def _read(page):
    return page.read_text(encoding="utf-8")


def _rows(found):
    accuracy, scale = found.metrics[ACCURACY.key], ACCURACY.scale

    def ends(interval):
        if interval.low is None:
            return None
        return scale * interval.low, scale * interval.high

    return [
        DifferenceRow(
            name=name,
            mean=scale * difference.interval.mean,
            seeds=tuple(scale * value for value in paired_values(accuracy, name)),
            over_seeds=ends(difference.interval),
            over_clips=ends(found.clips[name].interval),
        )
        for name in found.variants
        if (difference := accuracy[name].difference)
    ]
