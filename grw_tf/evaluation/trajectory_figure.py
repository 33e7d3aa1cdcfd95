"""Pictures of how embeddings move over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)

_NUMBERS = 12


def draw_paths(axis, points, labels, class_names: Sequence[str], shown):
    """Draws some clips as paths, and the frames of all behind them.

    Frames are numbered from 0; of long clips, only some are.

    Args:
      axis: of Matplotlib.
      points: [clips, N, 2].
      labels: [clips], indices into `class_names`.
      class_names: names of the classes.
      shown: indices of the clips to draw as paths.
    """
    labels = np.asarray(labels)
    named = set()
    for label in sorted(set(labels.tolist())):
        scattered = points[labels == label].reshape(-1, 2)
        axis.scatter(*scattered.T, s=3, color=_colour(label), alpha=0.15)
    for clip in shown:
        label = int(labels[clip])
        path, colour = points[clip], _colour(label)
        name = None if label in named else class_names[label].replace("$", r"\$")
        named.add(label)
        axis.plot(*path.T, color=colour, linewidth=1.5, label=name)
        for number in range(0, len(path), -(-len(path) // _NUMBERS)):
            x, y = path[number]
            text = axis.text(x, y, number, fontsize=7, ha="center", va="center")
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axis.set(xlabel="first principal component", ylabel="second")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="best", fontsize=8)


def trajectory_figure(projected, labels, class_names, shown, title) -> Figure:
    """Returns a figure of the paths of clips.

    Args:
      projected: `Projected` on two components.
      labels, class_names, shown: as `draw_paths`.
      title: of the figure.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axis = figure.subplots()
    draw_paths(axis, projected.points, labels, class_names, shown)
    first, second = projected.shares[:2]
    axis.set(
        xlabel=f"first principal component ({first:.0%} of the variance)",
        ylabel=f"second ({second:.0%})",
    )
    axis.set_title(title, fontsize=10, parse_math=False)
    return figure


def _colour(label):
    return COLOURS[label % len(COLOURS)]
