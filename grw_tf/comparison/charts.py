"""The charts of the report, from its findings."""

from grw_tf.comparison.drawing import (
    bottom_axis,
    dot,
    element,
    group,
    joined,
    left_axis,
    line,
    number,
    picture,
    polygon,
    polyline,
    scale_of,
    text,
)

_WIDTH, _ROW, _LABELS = 520, 46, 150
_LONGEST_LABEL = 21
_LINE_HEIGHT = 270
_PANEL = 320


def difference_chart(findings, metric):
    """Draws each variant's difference to the baseline, with both intervals.

    Args:
      findings: of `find`.
      metric: a `Metric`.

    Returns:
      An SVG element, or None if there is no difference.
    """
    entries = findings["metrics"].get(metric.key, {})
    rows = [(n, e) for n, e in entries.items() if "difference" in e]
    if not rows:
        return None
    scale, extents = metric.scale, [0.0]
    for name, entry in rows:
        intervals = [entry["difference"]["interval"]]
        clips = findings["clips"].get(name) if metric.key == "accuracy" else None
        intervals += [clips["interval"]] if clips else []
        for interval in intervals:
            ends = (interval["low"], interval["mean"], interval["high"])
            extents += [scale * end for end in ends if end is not None]
        extents += [scale * value for value in _paired(entries, name)]
    x = scale_of(extents, _LABELS, _WIDTH - 16, include=[0.0])
    bottom = 12 + _ROW * len(rows)
    unit = "points" if metric.unit == "%" else metric.unit
    better = "right" if metric.higher_is_better else "left"
    title = f"difference{f', {unit}' if unit else ''} ({better} is better)"
    parts = [
        bottom_axis(x, 8, bottom, title, _signed),
        line(x(0), 8, x(0), bottom, "zero"),
    ]
    for row, (name, entry) in enumerate(rows):
        clips = findings["clips"].get(name) if metric.key == "accuracy" else None
        values = [scale * value for value in _paired(entries, name)]
        y = 12 + _ROW * (row + 0.5)
        marks = _difference_row(
            x, y, entry["difference"]["interval"], clips, values, scale
        )
        label = text(_LABELS - 12, y + 4, _short(name), "end", "name")
        parts += [label, group(marks, _colour(findings, name))]
    told = "; ".join(
        f"{name} {_signed(scale * e['difference']['interval']['mean'])}"
        for name, e in rows
    )
    label = f"{metric.title} against the baseline, {title}: {told}."
    return picture(_WIDTH, bottom + 42, label, joined(parts))


def _difference_row(x, y, interval, clips, values, scale):
    marks = [dot(x(value), y - 10, 2.6, _signed(value), "seed") for value in values]
    if interval["low"] is not None:
        low, high = (x(scale * interval[end]) for end in ("low", "high"))
        marks.append(line(low, y, high, y, "interval"))
    if clips:
        low, high = (x(scale * clips["interval"][end]) for end in ("low", "high"))
        marks.append(line(low, y + 9, high, y + 9, "thin"))
    told = _signed(scale * interval["mean"])
    return joined([*marks, dot(x(scale * interval["mean"]), y, 5.5, told, "mean")])


def value_chart(findings, metric):
    """Draws a metric of each variant, a dot for each seed and a mark for their mean.

    Args, returns: as `difference_chart`.
    """
    entries = findings["metrics"].get(metric.key, {})
    rows = [(name, e) for name, e in entries.items() if e["mean"] is not None]
    if not rows:
        return None
    shown = [metric.scale * v for _, e in rows for v in e["values"] if v is not None]
    include, share = [], findings["test"].get("majority_share")
    if metric.key == "accuracy" and share is not None:
        include = [metric.scale * share]
    x = scale_of([*shown, *include], _LABELS, _WIDTH - 16)
    bottom = 12 + _ROW * len(rows)
    title = f"{metric.title.lower()}{f', {metric.unit}' if metric.unit else ''}"
    parts = [bottom_axis(x, 8, bottom, title)]
    if include:
        parts.append(line(x(include[0]), 8, x(include[0]), bottom, "reference"))
    for row, (name, entry) in enumerate(rows):
        y = 12 + _ROW * (row + 0.5)
        mean = metric.scale * entry["mean"]
        marks = [
            dot(x(metric.scale * value), y, 4, f"seed {seed}: {_plain(value, metric)}")
            for seed, value in zip(findings["seeds"], entry["values"], strict=True)
            if value is not None
        ]
        marks.append(line(x(mean), y - 12, x(mean), y + 12, "mark"))
        label = text(_LABELS - 12, y + 4, _short(name), "end", "name")
        parts += [label, group(joined(marks), _colour(findings, name))]
    told = "; ".join(f"{name} {_plain(e['mean'], metric)}" for name, e in rows)
    return picture(_WIDTH, bottom + 42, f"Mean {title}: {told}.", joined(parts))


def line_chart(findings, curves, x_title, y_title, percent=False, label=""):
    """Draws curves with the band of their runs.

    Args:
      findings: of `find`.
      curves: dicts of "x", "mean", "low", "high", "variant" and "dashed".
      x_title, y_title: of the axes.
      percent: whether numbers are shares.
      label: what there is to see.

    Returns:
      An SVG element, or None without curves.
    """
    if not curves:
        return None
    unit = 100 if percent else 1
    left, right, top, bottom = 50, _WIDTH - 14, 26, _LINE_HEIGHT - 46
    x = scale_of([v for c in curves for v in c["x"]], left, right, margin=0.02)
    ends = [unit * v for c in curves for key in ("low", "high") for v in c[key]]
    include = [0, 100] if percent and max(ends) > 60 and min(ends) < 40 else []
    y = scale_of(ends, bottom, top, include=include)
    parts = [
        bottom_axis(x, top, bottom, x_title, integer=True),
        left_axis(y, left, right),
        text(left - 7, 14, f"{y_title}{', %' if percent else ''}", "start", "axis"),
    ]
    for curve in curves:
        places = [x(value) for value in curve["x"]]
        low, mean, high = (
            [y(unit * value) for value in curve[key]] for key in ("low", "mean", "high")
        )
        style = "curve dashed" if curve["dashed"] else "curve"
        marks = [polyline(zip(places, mean, strict=True), style)]
        if not curve["dashed"]:
            there, back = zip(places, high, strict=True), zip(places, low, strict=True)
            marks.append(polygon([*there, *reversed([*back])]))
        if len(places) == 1:
            marks.append(dot(places[0], mean[0], 3.5))
        parts.append(group(joined(marks), _colour(findings, curve["variant"])))
    return picture(
        _WIDTH, _LINE_HEIGHT, label or f"{y_title} by {x_title}", joined(parts)
    )


def streaming_chart(findings):
    """Draws the accuracy after each frame; None of models that are no streams."""
    found = findings["streaming"]
    curves = [
        curve
        | {
            "x": [(i + 1) for i in range(len(curve["mean"]))],
            "variant": name,
            "dashed": False,
        }
        for name, curve in found["curves"].items()
    ]
    told = "; ".join(
        f"{c['variant']} from {100 * c['mean'][0]:.0f} to {100 * c['mean'][-1]:.0f} %"
        for c in curves
    )
    return line_chart(
        findings,
        curves,
        f"frames seen, {found['fps']:g} a second",
        "accuracy",
        True,
        f"Accuracy after each frame: {told}.",
    )


def training_charts(findings):
    """Draws the curves of training and validation, a chart for each number."""
    charts = []
    for title, splits in findings["training"].items():
        curves = [
            curve | {"x": curve["steps"], "variant": name, "dashed": split == "train"}
            for split, by_variant in splits.items()
            for name, curve in by_variant.items()
        ]
        charts.append(
            line_chart(
                findings,
                curves,
                "step",
                title,
                title != "loss",
                f"{title} of training and validation by step.",
            )
        )
    return charts


def trajectory_chart(findings, name):
    """Draws the paths of the example clips in a variant's embeddings."""
    found = findings["trajectories"]
    panel, places = found["panels"][name], classes_of(found)
    inner = _PANEL - 24

    def place(point):
        return (
            round(_PANEL / 2 + inner / 2 * point[0], 1),
            round(_PANEL / 2 - inner / 2 * point[1], 1),
        )

    cloud = joined(dot(*place(point), 1.4, class_="cloud") for point in panel["cloud"])
    parts = [
        element(
            "rect", x=0.5, y=0.5, width=_PANEL - 1, height=_PANEL - 1, class_="frame"
        ),
        group(cloud),
    ]
    for number_, (path, clip) in enumerate(
        zip(panel["paths"], found["examples"], strict=True), start=1
    ):
        points = [place(point) for point in path]
        frames = [
            dot(*point, 2.6, f"{clip['label']}, clip {number_}, frame {frame}")
            for frame, point in enumerate(points, start=1)
        ]
        x, y = points[0]
        start = [
            dot(x, y, 8, f"{clip['label']}, clip {number_}, first frame", "start"),
            text(x, y + 3.5, number_, "middle", "start-number"),
        ]
        marks = [polyline(points, "path"), *frames, *start]
        parts.append(group(joined(marks), f"k{places[clip['label']]}"))
    first, second = panel["shares"]
    told = (
        f"Paths of {len(panel['paths'])} clips in the embeddings of {name}, on two"
        f" principal components with {first:.0%} and {second:.0%} of the variance."
    )
    return picture(_PANEL, _PANEL, told, joined(parts))


def classes_of(trajectories):
    """Returns the numbers of colours by the classes of the example clips."""
    labels = dict.fromkeys(clip["label"] for clip in trajectories["examples"])
    return {label: number_ for number_, label in enumerate(labels)}


def colours(findings):
    """Returns the class of the style sheet that colours each variant, by name."""
    names = [variant["name"] for variant in findings["variants"]]
    return {name: f"v{min(index, 9)}" for index, name in enumerate(names)}


def _colour(findings, name):
    return colours(findings)[name]


def _paired(entries, name):
    return [
        own - theirs
        for own, theirs in zip(
            entries[name]["values"], entries["baseline"]["values"], strict=True
        )
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


def _short(name):
    if len(name) <= _LONGEST_LABEL:
        return name
    return f"{name[: _LONGEST_LABEL - 1]}…"
