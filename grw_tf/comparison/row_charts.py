"""Charts of one metric, a row for each variant."""

from markupsafe import Markup

from grw_tf.comparison.charts import WIDTH, color
from grw_tf.comparison.drawing import (
    SHARES,
    bottom_axis,
    dot,
    group,
    joined,
    line,
    number,
    picture,
    scale_of,
    text,
)
from grw_tf.comparison.findings import Findings
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.outcomes import ACCURACY, Metric

_ROW, _LEFT, _RIGHT = 62, 14, WIDTH - 16
_LONGEST_LABEL = 40


def difference_chart(findings: Findings, metric: Metric) -> Markup | None:
    """Draws each variant's difference to the baseline, with both intervals.

    Returns:
        An SVG element, or None if there is no difference.
    """
    differences = findings.differences(metric.key)
    if not differences:
        return None
    by_clip = findings.clips if metric == ACCURACY else {}
    paired = {name: _paired(findings, metric, name) for name in differences}
    scale, extents = metric.scale, [0.0]
    for name, difference in differences.items():
        of_clips = by_clip.get(name)
        for found in (difference, of_clips) if of_clips else (difference,):
            interval = found.interval
            ends = (interval.low, interval.mean, interval.high)
            extents += [scale * end for end in ends if end is not None]
        extents += paired[name]
    x = scale_of(extents, _LEFT, _RIGHT, include=[0.0])
    bottom = 12 + _ROW * len(differences)
    unit = "points" if metric.unit == "%" else metric.unit
    better = "right" if metric.higher_is_better else "left"
    title = f"difference{f', {unit}' if unit else ''} ({better} is better)"
    parts = [
        bottom_axis(x, 8, bottom, title, _signed),
        line(x(0), 8, x(0), bottom, "zero"),
    ]
    for row, (name, difference) in enumerate(differences.items()):
        y = _middle(row)
        marks = _difference_row(
            x, y, difference.interval, by_clip.get(name), paired[name], scale
        )
        parts += [_name(name, y), group(marks, color(findings, name))]
    told = "; ".join(
        f"{name} {_signed(scale * difference.interval.mean)}"
        for name, difference in differences.items()
    )
    label = f"{metric.title} against the baseline, {title}: {told}."
    return picture(WIDTH, bottom + 42, label, joined(parts))


def _difference_row(x, y, interval, clips, values, scale):
    marks = [dot(x(value), y - 10, 2.6, _signed(value), "seed") for value in values]
    if interval.low is not None:
        low, high = x(scale * interval.low), x(scale * interval.high)
        marks.append(line(low, y, high, y, "interval"))
    if clips:
        low, high = x(scale * clips.interval.low), x(scale * clips.interval.high)
        marks.append(line(low, y + 9, high, y + 9, "thin"))
    told = _signed(scale * interval.mean)
    return joined([*marks, dot(x(scale * interval.mean), y, 5.5, told, "mean")])


def value_chart(findings: Findings, metric: Metric) -> Markup | None:
    """Draws a metric of each variant, a dot for each seed and a mark at their mean.

    Returns:
        An SVG element, or None if no variant has the metric.
    """
    found = findings.metrics.get(metric.key, {})
    rows = [(name, each) for name, each in found.items() if each.mean is not None]
    if not rows:
        return None
    shown = [metric.scale * v for _, e in rows for v in e.values if v is not None]
    include, share = [], findings.test.majority_share
    if metric == ACCURACY and share is not None:
        include = [metric.scale * share]
    within = {"within": SHARES} if metric.unit == "%" else {}
    x = scale_of([*shown, *include], _LEFT, _RIGHT, **within)
    bottom = 12 + _ROW * len(rows)
    title = f"{metric.title.lower()}{f', {metric.unit}' if metric.unit else ''}"
    parts = [bottom_axis(x, 8, bottom, title)]
    if include:
        parts.append(line(x(include[0]), 8, x(include[0]), bottom, "reference"))
    for row, (name, each) in enumerate(rows):
        y = _middle(row)
        mean = metric.scale * each.mean
        marks = [
            dot(x(metric.scale * value), y, 4, f"seed {seed}: {_plain(value, metric)}")
            for seed, value in zip(findings.seeds, each.values, strict=True)
            if value is not None
        ]
        marks.append(line(x(mean), y - 12, x(mean), y + 12, "mark"))
        parts += [_name(name, y), group(joined(marks), color(findings, name))]
    told = "; ".join(f"{name} {_plain(e.mean, metric)}" for name, e in rows)
    return picture(WIDTH, bottom + 42, f"Mean {title}: {told}.", joined(parts))


def _paired(findings, metric, name):
    """Returns the difference of each seed that a variant and the baseline have."""
    found = findings.metrics[metric.key]
    return [
        metric.scale * (own - theirs)
        for own, theirs in zip(found[name].values, found[BASELINE].values, strict=True)
        if own is not None and theirs is not None
    ]


def _plain(value, metric):
    return f"{metric.scale * value:.{1 if metric.scale > 1 else 3}f}{metric.unit}"


def _signed(value):
    return (
        "0"
        if abs(value) < 1e-9
        else f"{'+' if value > 0 else ''}{number(round(value, 4))}"
    )


def _middle(row):
    """Returns where the marks of a row are, below its name."""
    return 12 + _ROW * row + 40


def _name(name, y):
    if len(name) > _LONGEST_LABEL:
        name = f"{name[: _LONGEST_LABEL - 1]}…"
    return text(0, y - 22, name, "start", "name")
