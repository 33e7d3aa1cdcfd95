"""Placing names beside points so that none covers another."""

import math

from matplotlib.text import Text

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
"""Where a name may stand, in points from its mark, the best first."""
_BESIDE = 10
"""Points from a mark beyond which a line leads to it."""


def place_labels(axis, points, font_size=7):
    """Writes names beside points, each at the first place that is free.

    Call it when the axes have their final limits, scales and sizes.

    Args:
        axis: The axes.
        points: (x, y, name, colour) of each, in the data's units.
        font_size: In points.
    """
    renderer = axis.figure.canvas.get_renderer()
    gap = axis.figure.dpi / 72
    marks = [axis.transData.transform((x, y)) for x, y, _, _ in points]
    frame, taken = axis.get_window_extent(renderer), []

    def is_free(box):
        return (
            box.x0 >= frame.x0
            and box.x1 <= frame.x1
            and not any(box.overlaps(other) for other in taken)
            and not any(box.padded(3 * gap).contains(*mark) for mark in marks)
        )

    for index in _crowded_first(marks):
        for place in _PLACES:
            text = _write(axis, points[index], place, font_size)
            text.update_positions(renderer)
            # Of the words alone, without the line.
            box = Text.get_window_extent(text, renderer).padded(gap)
            if is_free(box) or place == _PLACES[-1]:
                taken.append(box)
                break
            text.remove()


def _crowded_first(marks):
    """Returns the numbers of marks, those with near neighbours first."""

    def crowd(index):
        near = sorted(math.dist(marks[index], other) for other in marks)
        return sum(near[1:4])

    return sorted(range(len(marks)), key=crowd)


def _write(axis, point, place, font_size):
    x, y, name, colour = point
    dx, dy, align = place
    line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkB": 2}
    return axis.annotate(
        name,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        ha=align,
        va="center",
        fontsize=font_size,
        color=colour,
        arrowprops=line if max(abs(dx), abs(dy)) > _BESIDE else None,
    )
