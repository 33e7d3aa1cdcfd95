"""Draws accuracy against the scale of low and of high frequencies."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# As in the paper.
_MARKERS = {"low": "o", "high": "^"}


def draw_sensitivity(measured: Sequence[Any]) -> Figure:
    """Draws two curves for each model, and a line at its unscaled accuracy.

    Args:
        measured: `Sensitivity` of each model.
    """
    figure = Figure(figsize=(6.4, 4.2 + 0.2 * len(measured)), layout="constrained")
    axis = figure.subplots()
    for number, model in enumerate(measured):
        color = f"C{number}"
        axis.axhline(model.unscaled, color=color, linewidth=1, linestyle=":")
        for component, marker in _MARKERS.items():
            axis.plot(
                model.scales,
                getattr(model, component),
                marker=marker,
                linestyle="-" if component == "low" else "--",
                color=color,
                clip_on=False,
                zorder=3,
            )
    axis.set(xlabel="scale of the component", ylabel="top-1 accuracy", ylim=(0, 1))
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles=_line_styles(), loc="outside upper center", ncols=3, frameon=False
    )
    models = figure.legend(
        handles=[
            Line2D([], [], color=f"C{number}", label=model.name)
            for number, model in enumerate(measured)
        ],
        loc="outside lower center",
        frameon=False,
    )
    for text in models.get_texts():
        # A $ would begin mathematics otherwise.
        text.set_parse_math(False)
    return figure


def _line_styles():
    gray = {"color": "0.3"}
    return [
        Line2D([], [], marker="o", label="low frequencies", **gray),
        Line2D([], [], marker="^", linestyle="--", label="high frequencies", **gray),
        Line2D([], [], linestyle=":", label="unscaled", **gray),
    ]
