"""The figure of the study of regularisers."""

import numpy as np
from matplotlib.figure import Figure

from grw_tf.demo.regularisers import BASELINE, GAP, TEST
from grw_tf.figures.trajectories import COLOURS


def draw_gaps(path, results):
    """Draws each variant's test accuracy and train-test gap, a dot for each seed.

    Args:
      path: the PNG to write.
      results: lists over seeds of dicts of numbers, by variant.
    """
    figure = Figure(figsize=(10, 1.4 + 0.36 * len(results)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axis, key, title in zip(
        panels,
        (TEST, GAP),
        ("test accuracy (more is better)", "training minus test accuracy"),
        strict=True,
    ):
        _draw(axis, results, key)
        axis.set_title(title, fontsize=11)
    panels[0].set_yticks(range(len(results)), list(results))
    panels[0].invert_yaxis()
    figure.supxlabel(
        "small dots: seeds; large dots and bars: their mean ± standard deviation;"
        " dashed: mean without a regulariser",
        fontsize=9,
    )
    figure.savefig(path, dpi=130)


def _draw(axis, results, key):
    for row, (name, runs) in enumerate(results.items()):
        values = np.array([numbers[key] for numbers in runs])
        colour = "#555555" if name == BASELINE else COLOURS[0]
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        axis.errorbar(
            values.mean(),
            row,
            xerr=spread,
            fmt="o",
            color=colour,
            markersize=7,
            capsize=3,
        )
        axis.plot(
            values, np.full(len(values), row + 0.25), ".", color=colour, alpha=0.5
        )
    mean = np.mean([numbers[key] for numbers in results[BASELINE]])
    axis.axvline(mean, color="#555555", linestyle="--", linewidth=1, zorder=0)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
