"""Vector graphics for the report: axes and marks, coloured by its style sheet."""

import dataclasses
import math

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

SHARES = (0.0, 100.0)
"""What shares can be, in per cent."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear map of numbers to pixels.

    Attributes:
      low, high: the numbers at the ends.
      start, end: the pixels at the ends.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value) -> float:
        """Returns the pixel of a number."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, integer=False) -> list[float]:
        """Returns round numbers along it, whole ones if need be."""
        locator = MaxNLocator(5, integer=integer, steps=[1, 2, 2.5, 5, 10])
        found = locator.tick_values(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        return [t for t in found if self.low - slack <= t <= self.high + slack]


def scale_of(
    values, start, end, include=(), margin=0.06, within=(-math.inf, math.inf)
) -> Scale:
    """Returns a scale on which all values have room.

    Args:
      values: numbers, at least one here or in `include`.
      start, end: the pixels at the ends.
      include: further numbers that must be on it.
      margin: room beyond the outermost values, as a share; none beyond `include`.
      within: what values can be at all, beyond which there is no room.
    """
    values, include = list(values) or list(include), list(include)
    low, high = min(values), max(values)
    room = margin * (high - low) or abs(high) * margin or 1.0
    low, high = max(low - room, within[0]), min(high + room, within[1])
    low, high = min([low, *include]), max([high, *include])
    return Scale(low, high, start, end)


def number(value) -> str:
    """Returns a tick's number, short."""
    text = f"{value:.6g}"
    return text.replace("-", "−")


def element(name, content="", **attributes) -> Markup:
    """Returns an element; underscores in names of attributes stand for hyphens."""
    listed = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), listed, escape(content))


def joined(parts) -> Markup:
    """Returns elements one after another."""
    return Markup("").join(parts)


def text(x, y, content, anchor="start", class_="label", **attributes) -> Markup:
    """Returns a line of text."""
    return element(
        "text", content, x=x, y=y, text_anchor=anchor, class_=class_, **attributes
    )


def line(x1, y1, x2, y2, class_="grid") -> Markup:
    """Returns a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points, class_="curve") -> Markup:
    """Returns a line through points."""
    return element("polyline", points=_listed(points), class_=class_)


def polygon(points, class_="band") -> Markup:
    """Returns an area within points."""
    return element("polygon", points=_listed(points), class_=class_)


def dot(x, y, radius, title="", class_="dot") -> Markup:
    """Returns a filled circle that tells its title when pointed at."""
    inner = element("title", title) if title else ""
    return element("circle", inner, cx=x, cy=y, r=radius, class_=class_)


def group(content, class_=None, **attributes) -> Markup:
    """Returns elements as one."""
    return element("g", content, class_=class_, **attributes)


def picture(width, height, label, content) -> Markup:
    """Returns a whole picture, as wide as its place.

    Args:
      width, height: in pixels of its own.
      label: what there is to see, for those who cannot.
      content: its elements.
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
    scale: Scale, top, bottom, title, shown=number, integer=False
) -> Markup:
    """Returns ticks with grid lines from top to bottom, and the axis' title."""
    parts = []
    for tick in scale.ticks(integer):
        parts.append(line(scale(tick), top, scale(tick), bottom))
        parts.append(text(scale(tick), bottom + 16, shown(tick), "middle", "tick"))
    middle = (scale.start + scale.end) / 2
    return joined([*parts, text(middle, bottom + 34, title, "middle", "axis")])


def left_axis(scale: Scale, left, right, shown=number) -> Markup:
    """Returns ticks with grid lines from left to right."""
    parts = []
    for tick in scale.ticks():
        parts.append(line(left, scale(tick), right, scale(tick)))
        parts.append(text(left - 7, scale(tick) + 4, shown(tick), "end", "tick"))
    return joined(parts)


def _listed(points):
    return " ".join(f"{x:g},{y:g}" for x, y in points)
