"""A picture of how accuracy grows while clips go on."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from grw_tf.evaluation.streaming import StreamingMeasures

_COLOUR = "#1f77b4"


def draw_accuracy(measured: StreamingMeasures) -> Figure:
    """Draws the accuracy after each frame, over frames below and seconds above."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axis = figure.subplots()
    frames = range(1, len(measured.accuracy) + 1)
    axis.plot(frames, measured.accuracy, ".-", color=_COLOUR, clip_on=False, zorder=3)
    axis.annotate(
        f"{measured.accuracy[-1]:.3f}",
        (frames[-1], measured.accuracy[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=_COLOUR,
    )
    axis.set(xlabel="frames seen", ylabel="top-1 accuracy", ylim=(0, 1))
    axis.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=[1, 2, 5, 10]))
    axis.margins(x=0.02)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    seconds = axis.secondary_xaxis(
        "top",
        functions=(lambda n: (n - 1) / measured.fps, lambda s: s * measured.fps + 1),
    )
    seconds.set_xlabel("seconds since the first frame")
    axis.set_title(
        f"{measured.label_changes_per_second:.2f} label changes a second,"
        f" probability change {measured.probability_change:.3f} a frame",
        fontsize=10,
    )
    return figure
