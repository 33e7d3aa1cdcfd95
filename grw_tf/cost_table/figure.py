"""Draws published accuracy against cost."""

from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from grw_tf.cost_table.labels import place_labels
from grw_tf.cost_table.published import BY_FLOPS, BY_MEMORY
from grw_tf.cost_table.rows import Row

_GRW, _MOVINET, _OTHER = "#d62728", "#1f77b4", "#777777"
_WIDE = 1000
"""Ratio of an axis' ends above which it gets fewer tick labels."""


def draw_accuracy_cost(rows: Sequence[Row]) -> Figure:
    """Draws published top-1 accuracy on Kinetics-600 against models' costs.

    The upper panel has published multiply-adds; the lower panels have published memory
    and the memory counted here, of the table's rows with a published accuracy.
    """
    figure = Figure(figsize=(10, 10.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[6, 4.5])[:, 0]
    flops = _points((r.gflops, f"{r.name} {r.views}".strip(), r) for r in BY_FLOPS)
    memory = _points((row.memory_mb, row.name, row) for row in BY_MEMORY)
    counted = _points(
        (row.cost.peak_bytes / 1e6, row.published.name, row.published)
        for row in rows
        if row.published
    )
    axes = below.subplots(1, 2 if counted else 1, squeeze=False, sharey=True)[0]
    panels = [
        (above.subplots(), "GFLOPs of a video, published", flops),
        (axes[0], "peak memory of inference, MB, published", memory),
    ]
    if counted:
        panels.append(
            (axes[1], "activations and states at peak, MB, counted here", counted)
        )
    for axis, label, points in panels:
        _draw(axis, label, points)
    for axis in (panels[0][0], axes[0]):
        axis.set_ylabel("top-1 accuracy on Kinetics-600, %, published")
    panels[0][0].legend(
        handles=[
            Line2D([], [], color=color, marker=marker, linestyle="", label=label)
            for label, color, marker in (
                ("with GRW smoothing", _GRW, "*"),
                ("MoViNet", _MOVINET, "o"),
                ("others", _OTHER, "o"),
            )
        ],
        loc="lower right",
        frameon=False,
    )
    # Labels need the final positions of the axes.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis, _, points in panels:
        place_labels(axis, points)
    return figure


def _points(named):
    return [(cost, row.top_1, name, _color(row)) for cost, name, row in named]


def _color(row):
    if row.smoothed:
        return _GRW
    return _MOVINET if row.name.startswith("MoViNet") else _OTHER


def _draw(axis, label, points):
    for x, y, _, color in points:
        smoothed = color == _GRW
        axis.plot(
            x,
            y,
            marker="*" if smoothed else "o",
            markersize=11 if smoothed else 5,
            color=color,
            zorder=3,
        )
    axis.set_xscale("log")
    axis.set_xlabel(label)
    axis.margins(0.1)
    least, most = axis.get_xlim()
    wide = most > _WIDE * least
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3) if wide else (1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
