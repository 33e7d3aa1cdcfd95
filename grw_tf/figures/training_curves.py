"""Draws curves of training and validation, a panel for each measure."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_TRAINING = "train"
# Longer names of variants have a row of the legend each.
_LONGEST_BESIDE_OTHERS = 16


def draw_training_curves(
    measures: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Figure:
    """Draws means over seeds; validation has a band from the lowest to the highest.

    Args:
        measures: By title of a measure, by split ("train" is dashed), by variant: a
            mapping with the lists steps, mean, low and high.
    """
    curves = [of for splits in measures.values() for of in splits.values()]
    variants = list(dict.fromkeys(name for of in curves for name in of))
    size = (4.2 * len(measures), 3.8 + 0.2 * len(variants))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(measures), squeeze=False)[0]
    for axis, (title, splits) in zip(axes, measures.items(), strict=True):
        for split, of in splits.items():
            for name, band in of.items():
                color = f"C{variants.index(name)}"
                dashed = split == _TRAINING
                style = ".--" if dashed else "o-"
                axis.plot(band["steps"], band["mean"], style, color=color, markersize=3)
                if not dashed:
                    ends = band["low"], band["high"]
                    axis.fill_between(band["steps"], *ends, color=color, alpha=0.15)
        axis.set(xlabel="step", title=title)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[["top", "right"]].set_visible(False)
    short = max(map(len, variants), default=0) <= _LONGEST_BESIDE_OTHERS
    legend = figure.legend(
        handles=[
            *(
                Line2D([], [], color=f"C{number}", label=name)
                for number, name in enumerate(variants)
            ),
            Line2D([], [], color="0.3", marker=".", ls="--", label="training"),
            Line2D([], [], color="0.3", marker="o", label="validation"),
        ],
        loc="outside lower center",
        ncols=min(4, len(variants) + 2) if short else 1,
        frameon=False,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
