"""Draws which classes are mistaken for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_MOST_COUNTED, _MOST_NAMED = 20, 120
_LONGEST_NAME = 24
_POINTS_PER_INCH = 72


def draw_confusion(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draws a confusion matrix, each row in shares of the clips of its class.

    For up to 20 classes, the cells show the counts. The figure grows with the classes
    up to 120. Beyond that, numbers replace the names along the axes.

    Args:
        counts: Clips by label (rows) and prediction (columns), [classes, classes].
        class_names: Name of each class.

    Raises:
        ValueError: If there is no class, or the counts do not fit or are below 0.
    """
    counts, classes = np.asarray(counts), len(class_names)
    if not classes or counts.shape != (classes, classes):
        raise ValueError(
            f"Expected counts [classes, classes] and a name for each class, got"
            f" {counts.shape} and {classes} names."
        )
    if not (counts >= 0).all():
        raise ValueError(f"Counts must be at least 0, got {counts.min()}.")
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.ma.masked_invalid(counts / np.where(sums, sums, np.nan))

    named, counted = classes <= _MOST_NAMED, classes <= _MOST_COUNTED
    names = [_shortened(name) for name in class_names] if named else []
    cell = max(0.13, min(0.9, 6 / classes)) if named else 9 / classes
    name_points = min(10, max(6, 0.4 * cell * _POINTS_PER_INCH))
    longest = max(map(len, names), default=0)
    margin = 0.8 + longest * 0.6 * name_points / _POINTS_PER_INCH
    height = cell * classes + margin
    figure = Figure(figsize=(height + 0.9, height), layout="constrained")
    axis = figure.subplots()
    colors = colormaps["Blues"].with_extremes(bad="#e0e0e0")
    # With many classes, shares are small: a square root makes them visible.
    scale = PowerNorm(1 if counted else 0.5, vmin=0, vmax=1)
    image = axis.imshow(shares, cmap=colors, norm=scale)
    bar = figure.colorbar(image, shrink=0.8, pad=0.02, aspect=30)
    empty = "; gray: no clips" if shares.mask.any() else ""
    bar.set_label(f"share of the class's clips{empty}")
    _label_axes(axis, names, name_points)
    if counted:
        _write_counts(axis, counts, shares.filled(0), cell)
    return figure


def figure_pixels(figure: Figure) -> np.ndarray:
    """Returns a figure as an image for TensorBoard: uint8 [height, width, 3], RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _label_axes(axis, names, points):
    if names:
        # A $ would begin mathematics otherwise.
        font = {"fontsize": points, "parse_math": False}
        axis.set_xticks(range(len(names)), names, rotation=90, **font)
        axis.set_yticks(range(len(names)), names, **font)
        axis.set(xlabel="predicted", ylabel="true class")
        return
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axis.set(xlabel="predicted, by number", ylabel="true class, by number")


def _write_counts(axis, counts, shares, cell):
    digits = len(f"{counts.max():.0f}")
    points = min(11, cell * _POINTS_PER_INCH / (0.65 * max(digits, 2)))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axis.text(
                column,
                row,
                f"{count:.0f}",
                ha="center",
                va="center",
                fontsize=points,
                color="white" if shares[row, column] > 0.5 else "black",
            )


def _shortened(name):
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
