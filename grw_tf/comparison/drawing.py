"""Vector graphics for the report: axes and marks, colored by its style sheet."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

Points = Iterable[tuple[float, float]]

ANY, SHARES = (-math.inf, math.inf), (0.0, 100.0)
"""The ranges of all numbers, and of shares in percent."""


class Scale:
    """A linear map of numbers to pixels, with room for all given values.

    Args:
        values: Numbers.
        start, end: The pixels at the lower and the upper end.
        include: Further numbers that must be on the scale, without room beyond them.
        margin: Room beyond the outermost values, as a share of their range.
        within: The range of possible values, beyond which there is no room.
    """

    def __init__(
        self,
        values: Iterable[float],
        start: float,
        end: float,
        include: Iterable[float] = (),
        margin: float = 0.06,
        within: tuple[float, float] = ANY,
    ):
        values = list(values)
        low, high = min(values), max(values)
        room = margin * (high - low) or abs(high) * margin or 1.0
        self._low = min([max(low - room, within[0]), *include])
        self._high = max([min(high + room, within[1]), *include])
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """Returns the pixel of a number."""
        share = (value - self._low) / (self._high - self._low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, integer: bool = False) -> list[float]:
        """Returns round numbers on the scale; whole ones if asked for."""
        locator = MaxNLocator(5, integer=integer, steps=[1, 2, 2.5, 5, 10])
        found = locator.tick_values(self._low, self._high)
        slack = 1e-9 * (self._high - self._low)
        return [t for t in found if self._low - slack <= t <= self._high + slack]


def number(value: float) -> str:
    """Returns the short text of a number."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def element(name: str, *content: Markup | str, **attributes: Any) -> Markup:
    """Returns an element; underscores in names of attributes stand for hyphens."""
    listed = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
    )
    inner = Markup("").join(content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), listed, inner)


def text(
    x: float, y: float, content: str, anchor: str, class_: str = "label"
) -> Markup:
    """Returns a line of text."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str = "grid") -> Markup:
    """Returns a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def through(points: Points, name: str, class_: str) -> Markup:
    """Returns a "polyline" through points, or the "polygon" that they enclose."""
    listed = " ".join(f"{x:g},{y:g}" for x, y in points)
    return element(name, points=listed, class_=class_)


def dot(
    point: tuple[float, float], radius: float, title: str = "", class_: str = "dot"
) -> Markup:
    """Returns a filled circle that shows its title when pointed at."""
    inner = [element("title", title)] if title else []
    return element("circle", *inner, cx=point[0], cy=point[1], r=radius, class_=class_)


def picture(width: float, height: float, label: str, *content: Markup) -> Markup:
    """Returns a picture as wide as its place, with a label for screen readers."""
    return element(
        "svg",
        *content,
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
) -> list[Markup]:
    """Returns ticks with grid lines from top to bottom, and the title of the axis."""
    parts = []
    for tick in scale.ticks(integer):
        parts.append(line(scale(tick), top, scale(tick), bottom))
        parts.append(text(scale(tick), bottom + 16, shown(tick), "middle", "tick"))
    middle = (scale.start + scale.end) / 2
    return [*parts, text(middle, bottom + 34, title, "middle", "axis")]


def left_axis(scale: Scale, left: float, right: float) -> list[Markup]:
    """Returns ticks with grid lines from left to right."""
    parts = []
    for tick in scale.ticks():
        parts.append(line(left, scale(tick), right, scale(tick)))
        parts.append(text(left - 7, scale(tick) + 4, number(tick), "end", "tick"))
    return parts
