"""Draws the accuracy after each frame of the clips."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_COLOR = "#1f77b4"


def draw_accuracy(
    accuracy: Sequence[float],
    fps: float,
    label_changes_per_second: float,
    probability_change: float,
    measure: str = "top-1 accuracy",
) -> Figure:
    """Draws the accuracy after each frame, over frames (below) and seconds (above).

    Args:
        accuracy: Accuracy after each frame, [frames].
        fps: Frames per second.
        label_changes_per_second: How often the likeliest class changes, or the named
            classes do.
        probability_change: Mean absolute change of a class probability per frame.
        measure: What `accuracy` is.
    """
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axis = figure.subplots()
    frames = range(1, len(accuracy) + 1)
    axis.plot(frames, accuracy, ".-", color=_COLOR, clip_on=False, zorder=3)
    axis.annotate(
        f"{accuracy[-1]:.3f}",
        (frames[-1], accuracy[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=_COLOR,
    )
    axis.set(xlabel="frames seen", ylabel=measure, ylim=(0, 1))
    axis.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=[1, 2, 5, 10]))
    axis.margins(x=0.02)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    convert: Any = (lambda n: (n - 1) / fps, lambda s: s * fps + 1)
    seconds = axis.secondary_xaxis("top", functions=convert)
    seconds.set_xlabel("seconds since the first frame")
    axis.set_title(
        f"{label_changes_per_second:.2f} label changes a second,"
        f" probability change {probability_change:.3f} a frame",
        fontsize=10,
    )
    return figure
