"""Figures of how embeddings move over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

COLORS = (
    *("#008000", "#0000ff", "#ff0000", "#9467bd", "#ff7f0e"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
"""Colors of paths, distinguishable for this many classes; the paper's come first."""

_OTHERS = "#b8b8b8"
_BACKGROUND = "#e5ecf6"
_NUMBERS = 12
_LONGEST_NAME = 36
# With more or longer names, a legend would cover the paths.
_NAMES_INSIDE, _LETTERS_INSIDE = 4, 60


def draw_paths(
    axis: Axes,
    points: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    shown: Sequence[int],
) -> dict[int, Line2D]:
    """Draws some clips as paths, and the frames of all faintly behind them.

    Frames are numbered from 0; long clips have numbers at some frames only. Both axes
    have one scale, so that angles are true.

    Args:
        axis: Where to draw.
        points: [clips, N, 2].
        labels: Class of each clip, [clips].
        shown: Indices of the clips to draw as paths; the frames of classes without any
            are gray.

    Returns:
        A path of each class that has one, by class.
    """
    labels = np.asarray(labels)
    colored = sorted({int(labels[clip]) for clip in shown})
    colors = {
        label: COLORS[number % len(COLORS)] for number, label in enumerate(colored)
    }
    for label in sorted(set(labels.tolist())):
        scattered = points[labels == label].reshape(-1, 2)
        color = colors.get(label, _OTHERS)
        axis.scatter(scattered[:, 0], scattered[:, 1], s=2, color=color, alpha=0.12)
    lines: dict[int, Line2D] = {}
    for clip in shown:
        label = int(labels[clip])
        path = points[clip]
        (line,) = axis.plot(*path.T, "o-", color=colors[label], lw=0.8, ms=5)
        lines.setdefault(label, line)
        for number in range(0, len(path), -(-len(path) // _NUMBERS)):
            text = axis.annotate(
                str(number),
                path[number],
                xytext=(0, 4),
                textcoords="offset points",
                fontsize=7,
                ha="center",
            )
            text.set_path_effects([withStroke(linewidth=1.5, foreground=_BACKGROUND)])
    axis.set(xlabel="Principal 1", ylabel="Principal 2", facecolor=_BACKGROUND)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_axisbelow(True)
    axis.grid(color="white")
    return lines


def trajectory_figure(
    points: np.ndarray,
    shares: Sequence[float] | np.ndarray,
    labels: Sequence[int] | np.ndarray,
    class_names: Sequence[str],
    shown: Sequence[int],
    title: str,
) -> Figure:
    """Returns a figure of the paths of clips.

    Args:
        points: [clips, N, 2], on two principal components.
        shares: [2], the components' shares of the variance.
        labels: [clips], indices into `class_names`.
        class_names: Names of the classes.
        shown: As in `draw_paths`.
        title: Title of the figure.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axis = figure.subplots()
    lines = draw_paths(axis, points, labels, shown)
    first, second = shares[:2]
    axis.set(
        xlabel=f"Principal 1 ({first:.0%} of the variance)",
        ylabel=f"Principal 2 ({second:.0%})",
    )
    axis.set_title(title, fontsize=10, parse_math=False)
    names = [_short(class_names[label]) for label in lines]
    inside = len(names) <= _NAMES_INSIDE and len("".join(names)) <= _LETTERS_INSIDE
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "ncols": 2}
    legend = axis.legend(
        lines.values(), names, fontsize=8, **({"loc": "best"} if inside else below)
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _short(name):
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
