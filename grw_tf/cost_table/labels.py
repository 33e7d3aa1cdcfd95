"""Places names beside points so that none covers another."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_PLACES = [
    (reach * x, reach * y, align)
    for reach in (1, 2, 3.2, 4.6)
    for x, y, align in (
        (7, 0, "left"),
        (-7, 0, "right"),
        (0, 9, "center"),
        (0, -9, "center"),
        (6, 7, "left"),
        (6, -7, "left"),
        (-6, 7, "right"),
        (-6, -7, "right"),
    )
]
"""Offsets of a name from its mark in points, best first, with its alignment."""
_BESIDE = 10
"""Distance from a mark in points above which a line connects the name to it."""


def place_labels(axis: Axes, points: Sequence[tuple[float, float, str, str]]) -> None:
    """Writes names beside points, each at the first free place.

    The axes must already have their final limits, scales and sizes.

    Args:
        axis: The axes.
        points: (x, y, name, color) for each point, in data units.
    """
    # Agg's canvas has it; the base class of canvases does not.
    renderer = axis.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    gap = axis.figure.dpi / 72
    marks = [axis.transData.transform((x, y)) for x, y, _, _ in points]
    frame = axis.get_window_extent(renderer)
    taken: list[Bbox] = []

    def is_free(box):
        return (
            box.x0 >= frame.x0
            and box.x1 <= frame.x1
            and not any(box.overlaps(other) for other in taken)
            and not any(box.padded(3 * gap).contains(*mark) for mark in marks)
        )

    for index in _crowded_first(marks):
        for place in _PLACES:
            text = _write(axis, points[index], place)
            text.update_positions(renderer)
            # The box of the text alone, without the line.
            box = Text.get_window_extent(text, renderer).padded(gap)
            if is_free(box) or place == _PLACES[-1]:
                taken.append(box)
                break
            text.remove()


def _crowded_first(marks):
    """Returns the indices of marks, those with near neighbors first."""

    def crowd(index):
        near = sorted(math.dist(marks[index], other) for other in marks)
        return sum(near[1:4])

    return sorted(range(len(marks)), key=crowd)


def _write(axis, point, place):
    x, y, name, color = point
    dx, dy, align = place
    line = {"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkB": 2}
    return axis.annotate(
        name,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        ha=align,
        va="center",
        fontsize=7,
        color=color,
        arrowprops=line if max(abs(dx), abs(dy)) > _BESIDE else None,
    )
