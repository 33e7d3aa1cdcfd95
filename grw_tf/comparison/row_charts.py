"""Charts of one metric, a row for each variant."""

from markupsafe import Markup

from grw_tf.comparison.charts import WIDTH, colors
from grw_tf.comparison.differences import paired_values
from grw_tf.comparison.drawing import (
    ANY,
    SHARES,
    Scale,
    bottom_axis,
    dot,
    element,
    line,
    number,
    picture,
    text,
)
from grw_tf.comparison.findings import Findings
from grw_tf.comparison.outcomes import Metric, judged_metric

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
    by_clip = findings.clips if metric == judged_metric(findings.metrics) else {}
    scale, rows, extents = metric.scale, {}, [0.0]
    for name, difference in differences.items():
        of_clips = by_clip.get(name)
        intervals = [d.interval for d in (difference, of_clips) if d]
        values = paired_values(findings.metrics[metric.key], name)
        paired = [scale * value for value in values]
        rows[name] = intervals, paired
        ends = [end for each in intervals for end in (each.low, each.mean, each.high)]
        extents += [scale * end for end in ends if end is not None] + paired
    x = Scale(extents, _LEFT, _RIGHT, include=[0.0])
    bottom = 12 + _ROW * len(rows)
    unit = "points" if metric.unit == "%" else metric.unit
    better = "right" if metric.higher_is_better else "left"
    title = f"difference{f', {unit}' if unit else ''} ({better} is better)"
    parts = [
        *bottom_axis(x, 8, bottom, title, _signed),
        line(x(0), 8, x(0), bottom, "zero"),
    ]
    told = []
    for row, (name, (intervals, paired)) in enumerate(rows.items()):
        y = _middle(row)
        marks = [dot((x(v), y - 10), 2.6, _signed(v), "seed") for v in paired]
        for interval, below, style in zip(
            intervals, (0, 9), ("interval", "thin"), strict=False
        ):
            if interval.low is not None and interval.high is not None:
                low, high = x(scale * interval.low), x(scale * interval.high)
                marks.append(line(low, y + below, high, y + below, style))
        mean = scale * intervals[0].mean
        marks.append(dot((x(mean), y), 5.5, _signed(mean), "mean"))
        told.append(f"{name} {_signed(mean)}")
        parts += [
            _name(name, y),
            element("g", *marks, class_=colors(findings)[name]),
        ]
    label = f"{metric.title} against the baseline, {title}: {'; '.join(told)}."
    return picture(WIDTH, bottom + 42, label, *parts)


def value_chart(findings: Findings, metric: Metric) -> Markup | None:
    """Draws a metric of each variant, a dot for each seed and a mark at their mean.

    Returns:
        An SVG element, or None if no variant has the metric.
    """
    found = findings.metrics.get(metric.key, {})
    means = {name: e.mean for name, e in found.items() if e.mean is not None}
    if not means:
        return None
    scale, share = metric.scale, findings.test.majority_share
    shown = [scale * v for name in means for v in found[name].values if v is not None]
    is_judged = metric == judged_metric(findings.metrics)
    reference = [scale * share] if is_judged and share is not None else []
    within = SHARES if metric.unit == "%" else ANY
    x = Scale([*shown, *reference], _LEFT, _RIGHT, within=within)
    bottom = 12 + _ROW * len(means)
    title = f"{metric.title.lower()}{f', {metric.unit}' if metric.unit else ''}"
    parts = [
        *bottom_axis(x, 8, bottom, title),
        *(line(x(at), 8, x(at), bottom, "reference") for at in reference),
    ]
    told = []
    for row, (name, mean) in enumerate(means.items()):
        y, at = _middle(row), x(scale * mean)
        marks = [
            dot((x(scale * value), y), 4, f"seed {seed}: {_plain(value, metric)}")
            for seed, value in zip(findings.seeds, found[name].values, strict=True)
            if value is not None
        ]
        marks.append(line(at, y - 12, at, y + 12, "mark"))
        told.append(f"{name} {_plain(mean, metric)}")
        parts += [_name(name, y), element("g", *marks, class_=colors(findings)[name])]
    label = f"Mean {title}: {'; '.join(told)}."
    return picture(WIDTH, bottom + 42, label, *parts)


def _plain(value, metric):
    return f"{metric.scale * value:.{1 if metric.scale > 1 else 3}f}{metric.unit}"


def _signed(value):
    sign = "+" if value > 0 else ""
    return "0" if abs(value) < 1e-9 else f"{sign}{number(round(value, 4))}"


def _middle(row):
    """Returns where the marks of a row are, below its name."""
    return 12 + _ROW * row + 40


def _name(name, y):
    if len(name) > _LONGEST_LABEL:
        name = f"{name[: _LONGEST_LABEL - 1]}…"
    return text(0, y - 22, name, "start", "name")
