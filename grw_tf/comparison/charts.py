"""Charts of curves and paths, and the colors of variants."""

from typing import NamedTuple

from markupsafe import Markup

from grw_tf.comparison.drawing import (
    ANY,
    SHARES,
    Scale,
    bottom_axis,
    dot,
    element,
    left_axis,
    picture,
    text,
    through,
)
from grw_tf.comparison.findings import Band, Findings, TrajectoriesFound
from grw_tf.comparison.outcomes import judged_metric

WIDTH = 520
"""The width of charts, in their own pixels."""

_LINE_HEIGHT = 270
_PANEL = 320


class Curve(NamedTuple):
    """A variant's curve in a chart; a dashed one is drawn without its band."""

    variant: str
    band: Band
    dashed: bool = False

    @property
    def x(self) -> tuple[int, ...]:
        """The steps, or the numbers of frames, of its values."""
        return self.band.steps or tuple(range(1, len(self.band.mean) + 1))


def line_chart(
    findings: Findings,
    curves: list[Curve],
    x_title: str,
    y_title: str,
    percent: bool,
    label: str,
) -> Markup | None:
    """Draws curves, each with the band of its runs.

    Values are drawn in percent if they are shares. The label says what the chart shows.

    Returns:
        An SVG element, or None without curves.
    """
    if not curves:
        return None
    unit = 100 if percent else 1
    left, right, top, bottom = 50, WIDTH - 14, 26, _LINE_HEIGHT - 46
    x = Scale([v for c in curves for v in c.x], left, right, margin=0.02)
    ends = [unit * v for c in curves for v in (*c.band.low, *c.band.high)]
    include = [0, 100] if percent and max(ends) > 60 and min(ends) < 40 else []
    y = Scale(ends, bottom, top, include, within=SHARES if percent else ANY)
    parts = [
        *bottom_axis(x, top, bottom, x_title, integer=True),
        *left_axis(y, left, right),
        text(left - 7, 14, f"{y_title}{', %' if percent else ''}", "start", "axis"),
    ]
    for curve in curves:
        band = curve.band
        low, mean, high = (
            [(x(at), y(unit * v)) for at, v in zip(curve.x, values, strict=True)]
            for values in (band.low, band.mean, band.high)
        )
        style = "curve dashed" if curve.dashed else "curve"
        marks = [through(mean, "polyline", style)]
        if not curve.dashed:
            marks.append(through([*high, *reversed(low)], "polygon", "band"))
        if len(mean) == 1:
            marks.append(dot(mean[0], 3.5))
        parts.append(element("g", *marks, class_=colors(findings)[curve.variant]))
    return picture(WIDTH, _LINE_HEIGHT, label, *parts)


def streaming_chart(findings: Findings) -> Markup | None:
    """Draws the accuracy after each frame; None for models that cannot stream."""
    found, measure = findings.streaming, judged_metric(findings.metrics).title
    told = "; ".join(
        f"{name} from {100 * band.mean[0]:.0f} to {100 * band.mean[-1]:.0f} %"
        for name, band in found.curves.items()
    )
    return line_chart(
        findings,
        [Curve(name, band) for name, band in found.curves.items()],
        f"frames seen, {found.fps:g} a second",
        measure[0].lower() + measure[1:],
        percent=True,
        label=f"{measure} after each frame: {told}.",
    )


def training_charts(findings: Findings) -> list[Markup | None]:
    """Draws the curves of training and validation, a chart for each measure."""
    return [
        line_chart(
            findings,
            [
                Curve(name, band, dashed=split == "train")
                for split, by_variant in splits.items()
                for name, band in by_variant.items()
            ],
            "step",
            title,
            percent=title != "loss",
            label=f"{title} of training and validation by step.",
        )
        for title, splits in findings.training.items()
    ]


def trajectory_chart(findings: Findings, found: TrajectoriesFound, name: str) -> Markup:
    """Draws the paths of the example clips in a variant's embeddings."""
    panel, places = found.panels[name], classes_of(found)
    half = _PANEL / 2

    def place(point):
        x, y = ((half - 12) * value for value in point)
        return round(half + x, 1), round(half - y, 1)

    side = _PANEL - 1
    parts = [
        element("rect", x=0.5, y=0.5, width=side, height=side, class_="frame"),
        *(dot(place(point), 1.4, class_="cloud") for point in panel.cloud),
    ]
    examples = zip(panel.paths, found.examples, strict=True)
    for count, (path, clip) in enumerate(examples, start=1):
        points = [place(point) for point in path]
        title, (x, y) = f"{clip.label}, clip {count}", points[0]
        marks = [
            through(points, "polyline", "path"),
            *(
                dot(point, 2.6, f"{title}, frame {frame}")
                for frame, point in enumerate(points, start=1)
            ),
            dot(points[0], 8, f"{title}, first frame", "start"),
            text(x, y + 3.5, str(count), "middle", "start-number"),
        ]
        parts.append(element("g", *marks, class_=f"k{places[clip.label]}"))
    first, second = panel.shares
    told = (
        f"Paths of {len(panel.paths)} clips in the embeddings of {name}, on two"
        f" principal components with {first:.0%} and {second:.0%} of the variance."
    )
    return picture(_PANEL, _PANEL, told, *parts)


def classes_of(trajectories: TrajectoriesFound) -> dict[str, int]:
    """Returns the numbers of colors by the classes of the example clips."""
    labels = dict.fromkeys(clip.label for clip in trajectories.examples)
    return {label: count for count, label in enumerate(labels)}


def colors(findings: Findings) -> dict[str, str]:
    """Returns the style sheet's class that colors each variant, by name."""
    return {
        variant.name: f"v{min(index, 9)}"
        for index, variant in enumerate(findings.variants)
    }
