"""Figures of how embeddings move over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

COLORS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
"""Colors of paths, distinguishable for this many classes."""

_OTHERS = "#b8b8b8"
_NUMBERS = 12
_LONGEST_NAME = 36
# With more or longer names, a legend would cover the paths.
_NAMES_INSIDE, _LETTERS_INSIDE = 4, 60


def draw_paths(
    axis: Axes,
    points: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    class_names: Sequence[str],
    shown: Sequence[int],
) -> None:
    """Draws some clips as paths, and the frames of all behind them.

    Frames are numbered from 0; long clips have numbers at some frames only.

    Args:
        axis: Where to draw.
        points: [clips, N, 2].
        labels: [clips], indices into `class_names`.
        class_names: Names of the classes.
        shown: Indices of the clips to draw as paths; the frames of classes without any
            are gray.
    """
    labels = np.asarray(labels)
    colored = sorted({int(labels[clip]) for clip in shown})
    colors = {
        label: COLORS[number % len(COLORS)] for number, label in enumerate(colored)
    }
    for label in sorted(set(labels.tolist())):
        scattered = points[labels == label].reshape(-1, 2)
        color = colors.get(label, _OTHERS)
        axis.scatter(scattered[:, 0], scattered[:, 1], s=3, color=color, alpha=0.15)
    lines: dict = {}
    for clip in shown:
        label = int(labels[clip])
        path, color = points[clip], colors[label]
        (line,) = axis.plot(*path.T, color=color, linewidth=1.5)
        lines.setdefault(label, line)
        for number in range(0, len(path), -(-len(path) // _NUMBERS)):
            x, y = path[number]
            text = axis.text(x, y, str(number), fontsize=7, ha="center", va="center")
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axis.set(xlabel="first principal component", ylabel="second")
    axis.spines[["top", "right"]].set_visible(False)
    names = [_short(class_names[label]) for label in lines]
    inside = len(names) <= _NAMES_INSIDE and len("".join(names)) <= _LETTERS_INSIDE
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "ncols": 2}
    legend = axis.legend(
        lines.values(), names, fontsize=8, **({"loc": "best"} if inside else below)
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


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
        labels: As in `draw_paths`, like the next two.
        class_names: Names of the classes.
        shown: Indices of the clips to draw as paths.
        title: Title of the figure.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axis = figure.subplots()
    draw_paths(axis, points, labels, class_names, shown)
    first, second = shares[:2]
    axis.set(
        xlabel=f"first principal component ({first:.0%} of the variance)",
        ylabel=f"second ({second:.0%})",
    )
    axis.set_title(title, fontsize=10, parse_math=False)
    return figure


def _short(name):
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
