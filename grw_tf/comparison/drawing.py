"""Vector graphics for the report: axes and marks, colored by its style sheet."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

Content = Markup | str | float
Points = Iterable[tuple[float, float]]

SHARES = (0.0, 100.0)
"""The range of shares, in per cent."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear map of numbers to pixels.

    Attributes:
        low, high: The numbers at the ends.
        start, end: The pixels at the ends.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Returns the pixel of a number."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, integer: bool = False) -> list[float]:
        """Returns round numbers along it, whole ones if asked for."""
        locator = MaxNLocator(5, integer=integer, steps=[1, 2, 2.5, 5, 10])
        found = locator.tick_values(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        return [t for t in found if self.low - slack <= t <= self.high + slack]


def scale_of(
    values: Iterable[float],
    start: float,
    end: float,
    include: Iterable[float] = (),
    margin: float = 0.06,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Scale:
    """Returns a scale on which all values have room.

    Args:
        values: Numbers, at least one here or in `include`.
        start: The pixel at the lower end.
        end: The pixel at the upper end.
        include: Further numbers that must be on it.
        margin: Room beyond the outermost values, as a share; none beyond `include`.
        within: The range of possible values, beyond which there is no room.
    """
    values, include = list(values) or list(include), list(include)
    low, high = min(values), max(values)
    room = margin * (high - low) or abs(high) * margin or 1.0
    low, high = max(low - room, within[0]), min(high + room, within[1])
    low, high = min([low, *include]), max([high, *include])
    return Scale(low, high, start, end)


def number(value: float) -> str:
    """Returns the short text of a tick's number."""
    text = f"{value:.6g}"
    return text.replace("-", "\N{MINUS SIGN}")


def element(name: str, content: Content = "", **attributes: Any) -> Markup:
    """Returns an element; underscores in names of attributes stand for hyphens."""
    listed = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), listed, escape(content))


def joined(parts: Iterable[Markup]) -> Markup:
    """Returns elements one after another."""
    return Markup("").join(parts)


def text(
    x: float,
    y: float,
    content: Content,
    anchor: str = "start",
    class_: str = "label",
    **attributes: Any,
) -> Markup:
    """Returns a line of text."""
    return element(
        "text", content, x=x, y=y, text_anchor=anchor, class_=class_, **attributes
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str = "grid") -> Markup:
    """Returns a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points: Points, class_: str = "curve") -> Markup:
    """Returns a line through points."""
    return element("polyline", points=_listed(points), class_=class_)


def polygon(points: Points, class_: str = "band") -> Markup:
    """Returns the area within points."""
    return element("polygon", points=_listed(points), class_=class_)


def dot(
    x: float, y: float, radius: float, title: str = "", class_: str = "dot"
) -> Markup:
    """Returns a filled circle that shows its title when pointed at."""
    inner = element("title", title) if title else ""
    return element("circle", inner, cx=x, cy=y, r=radius, class_=class_)


def group(content: Content, class_: str | None = None, **attributes: Any) -> Markup:
    """Returns elements as one."""
    return element("g", content, class_=class_, **attributes)


def picture(width: float, height: float, label: str, content: Content) -> Markup:
    """Returns a whole picture, as wide as its place.

    Args:
        width: Its width, in pixels of its own.
        height: Its height, in pixels of its own.
        label: What there is to see, for screen readers.
        content: Its elements.
    """
    return element(
        "svg",
        content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        xmlns="http://www.w3.org/2000/svg",
    )


def bottom_axis(
    scale: Scale,
    top: float,
    bottom: float,
    title: str,
    shown: Callable[[float], str] = number,
    integer: bool = False,
) -> Markup:
    """Returns ticks with grid lines from top to bottom, and the title of the axis."""
    parts = []
    for tick in scale.ticks(integer):
        parts.append(line(scale(tick), top, scale(tick), bottom))
        parts.append(text(scale(tick), bottom + 16, shown(tick), "middle", "tick"))
    middle = (scale.start + scale.end) / 2
    return joined([*parts, text(middle, bottom + 34, title, "middle", "axis")])


def left_axis(
    scale: Scale,
    left: float,
    right: float,
    shown: Callable[[float], str] = number,
) -> Markup:
    """Returns ticks with grid lines from left to right."""
    parts = []
    for tick in scale.ticks():
        parts.append(line(left, scale(tick), right, scale(tick)))
        parts.append(text(left - 7, scale(tick) + 4, shown(tick), "end", "tick"))
    return joined(parts)


def _listed(points):
    return " ".join(f"{x:g},{y:g}" for x, y in points)
