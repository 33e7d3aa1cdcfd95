"""Charts of curves and paths, and the colors of variants."""

import dataclasses

from markupsafe import Markup

from grw_tf.comparison.drawing import (
    SHARES,
    bottom_axis,
    dot,
    element,
    group,
    joined,
    left_axis,
    picture,
    polygon,
    polyline,
    scale_of,
    text,
)
from grw_tf.comparison.findings import Band, Findings, TrajectoriesFound

WIDTH = 520
"""The width of charts, in pixels of their own."""

_LINE_HEIGHT = 270
_PANEL = 320


@dataclasses.dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    Attributes:
        x: Where its values are.
        band: Its values.
        variant: Whose it is.
        dashed: Whether it is dashed, and without its band.
    """

    x: tuple[int, ...]
    band: Band
    variant: str
    dashed: bool = False


def line_chart(
    findings: Findings,
    curves: list[Curve],
    x_title: str,
    y_title: str,
    percent: bool = False,
    label: str = "",
) -> Markup | None:
    """Draws curves, each with the band of its runs.

    Args:
        findings: Of `find`, for the colors of variants.
        curves: The curves.
        x_title: Title of the horizontal axis.
        y_title: Title of the vertical axis.
        percent: Whether values are shares, to be drawn in per cent.
        label: What there is to see.

    Returns:
        An SVG element, or None without curves.
    """
    if not curves:
        return None
    unit = 100 if percent else 1
    left, right, top, bottom = 50, WIDTH - 14, 26, _LINE_HEIGHT - 46
    x = scale_of([v for c in curves for v in c.x], left, right, margin=0.02)
    ends = [unit * v for c in curves for v in (*c.band.low, *c.band.high)]
    include = [0, 100] if percent and max(ends) > 60 and min(ends) < 40 else []
    within = {"within": SHARES} if percent else {}
    y = scale_of(ends, bottom, top, include=include, **within)
    parts = [
        bottom_axis(x, top, bottom, x_title, integer=True),
        left_axis(y, left, right),
        text(left - 7, 14, f"{y_title}{', %' if percent else ''}", "start", "axis"),
    ]
    for curve in curves:
        places = [x(value) for value in curve.x]
        low, mean, high = (
            [y(unit * value) for value in values]
            for values in (curve.band.low, curve.band.mean, curve.band.high)
        )
        style = "curve dashed" if curve.dashed else "curve"
        marks = [polyline(zip(places, mean, strict=True), style)]
        if not curve.dashed:
            there, back = zip(places, high, strict=True), zip(places, low, strict=True)
            marks.append(polygon([*there, *reversed([*back])]))
        if len(places) == 1:
            marks.append(dot(places[0], mean[0], 3.5))
        parts.append(group(joined(marks), color(findings, curve.variant)))
    return picture(
        WIDTH, _LINE_HEIGHT, label or f"{y_title} by {x_title}", joined(parts)
    )


def streaming_chart(findings: Findings) -> Markup | None:
    """Draws the accuracy after each frame; None for models that cannot stream."""
    found = findings.streaming
    curves = [
        Curve(tuple(range(1, len(band.mean) + 1)), band, name)
        for name, band in found.curves.items()
    ]
    told = "; ".join(
        f"{c.variant} from {100 * c.band.mean[0]:.0f} to {100 * c.band.mean[-1]:.0f} %"
        for c in curves
    )
    return line_chart(
        findings,
        curves,
        f"frames seen, {found.fps:g} a second",
        "accuracy",
        True,
        f"Accuracy after each frame: {told}.",
    )


def training_charts(findings: Findings) -> list[Markup | None]:
    """Draws the curves of training and validation, a chart for each number."""
    charts = []
    for title, splits in findings.training.items():
        curves = [
            Curve(band.steps, band, name, dashed=split == "train")
            for split, by_variant in splits.items()
            for name, band in by_variant.items()
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


def trajectory_chart(findings: Findings, name: str) -> Markup:
    """Draws the paths of the example clips in a variant's embeddings."""
    found = findings.trajectories
    panel, places = found.panels[name], classes_of(found)
    inner = _PANEL - 24

    def place(point):
        return (
            round(_PANEL / 2 + inner / 2 * point[0], 1),
            round(_PANEL / 2 - inner / 2 * point[1], 1),
        )

    cloud = joined(dot(*place(point), 1.4, class_="cloud") for point in panel.cloud)
    parts = [
        element(
            "rect", x=0.5, y=0.5, width=_PANEL - 1, height=_PANEL - 1, class_="frame"
        ),
        group(cloud),
    ]
    for number_, (path, clip) in enumerate(
        zip(panel.paths, found.examples, strict=True), start=1
    ):
        points = [place(point) for point in path]
        frames = [
            dot(*point, 2.6, f"{clip.label}, clip {number_}, frame {frame}")
            for frame, point in enumerate(points, start=1)
        ]
        x, y = points[0]
        start = [
            dot(x, y, 8, f"{clip.label}, clip {number_}, first frame", "start"),
            text(x, y + 3.5, number_, "middle", "start-number"),
        ]
        marks = [polyline(points, "path"), *frames, *start]
        parts.append(group(joined(marks), f"k{places[clip.label]}"))
    first, second = panel.shares
    told = (
        f"Paths of {len(panel.paths)} clips in the embeddings of {name}, on two"
        f" principal components with {first:.0%} and {second:.0%} of the variance."
    )
    return picture(_PANEL, _PANEL, told, joined(parts))


def classes_of(trajectories: TrajectoriesFound) -> dict[str, int]:
    """Returns the numbers of colors by the classes of the example clips."""
    labels = dict.fromkeys(clip.label for clip in trajectories.examples)
    return {label: number_ for number_, label in enumerate(labels)}


def colors(findings: Findings) -> dict[str, str]:
    """Returns the class of the style sheet that colors each variant, by name."""
    return {
        variant.name: f"v{min(index, 9)}"
        for index, variant in enumerate(findings.variants)
    }


def color(findings: Findings, name: str) -> str:
    """Returns the class of the style sheet that colors a variant."""
    return colors(findings)[name]
