"""Draws differences from a baseline with their intervals, a row for each variant."""

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_ROW_HEIGHT = 0.65


@dataclasses.dataclass(frozen=True)
class DifferenceRow:
    """A variant's difference from the baseline.

    Attributes:
        name: The variant.
        mean: The mean difference over seeds.
        seeds: The difference of each seed.
        over_seeds, over_clips: The ends of its intervals; None where undefined.
    """

    name: str
    mean: float
    seeds: tuple[float, ...]
    over_seeds: tuple[float, float] | None = None
    over_clips: tuple[float, float] | None = None


def draw_differences(
    panels: Mapping[str, Sequence[DifferenceRow]], title: str
) -> Figure:
    """Draws a panel by its name for each comparison, one below the other.

    Arrows end an interval that reaches beyond the axis, as intervals over two seeds do.

    Args:
        panels: The rows of each panel, the first at the top.
        title: What the differences are of, with their unit.
    """
    heights = [max(1, len(rows)) for rows in panels.values()]
    size = (7.2, 1.4 + sum(_ROW_HEIGHT * height + 0.5 for height in heights))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(
        len(panels), 1, squeeze=False, sharex=True, height_ratios=heights
    )
    limits = _limits([row for rows in panels.values() for row in rows])
    axes[0, 0].set_xlim(limits)
    for axis, (name, rows) in zip(axes[:, 0], panels.items(), strict=True):
        axis.set_title(name, loc="left", fontsize=10, parse_math=False)
        axis.axvline(0, color="0.6", linewidth=1)
        for place, row in enumerate(rows):
            _draw_row(axis, row, place, limits)
        axis.set_yticks([])
        axis.set_ylim(len(rows) - 0.5, -0.7)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1, 0].set_xlabel(title)
    figure.legend(
        handles=[
            Line2D([], [], color="C0", linewidth=3, label="95 %, over seeds"),
            Line2D([], [], color="C1", linewidth=1, label="95 %, over clips"),
            Line2D([], [], color="C0", marker="o", linestyle="", label="mean"),
            Line2D([], [], color="0.5", marker=".", linestyle="", label="a seed"),
        ],
        loc="outside upper center",
        ncols=4,
        frameon=False,
    )
    return figure


def _limits(rows):
    ends = [0.0]
    for row in rows:
        ends += [row.mean, *row.seeds, *(row.over_clips or ())]
        # Student's t of two seeds is 12.7: it would leave the others no width.
        if len(row.seeds) > 2:
            ends += row.over_seeds or ()
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _draw_row(axis, row, place, limits):
    # Above its row, a name of any length leaves the axis its width.
    axis.text(
        0.0,
        place - 0.35,
        row.name,
        transform=axis.get_yaxis_transform(),
        fontsize=9,
        verticalalignment="bottom",
        parse_math=False,
    )
    if row.over_seeds:
        axis.plot(row.over_seeds, [place, place], color="C0", linewidth=3)
        _mark_cut(axis, row.over_seeds, place, limits)
    if row.over_clips:
        axis.plot(row.over_clips, [place + 0.2] * 2, color="C1", linewidth=1)
    axis.plot(row.seeds, [place - 0.2] * len(row.seeds), ".", color="0.5")
    axis.plot([row.mean], [place], "o", color="C0")


def _mark_cut(axis, interval, place, limits):
    for end, limit, marker in zip(interval, limits, "<>", strict=True):
        if not limits[0] <= end <= limits[1]:
            axis.plot([limit], [place], marker, color="C0", clip_on=False)
