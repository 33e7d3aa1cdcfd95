"""The demo's figures."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from grw_tf.evaluation.principal_components import principal_components
from grw_tf.figures.trajectories import COLOURS, draw_paths

_SHOWN_CLASSES, _SHOWN_FRAMES, _TRAJECTORIES = 3, 12, 2


def draw_trajectories(path, test, results, title):
    """Draws frames of the first classes, and embeddings without and with smoothing.

    Embeddings are projected on the first two principal components of all the test
    videos'; a few videos of each class are drawn as trajectories, with frame numbers.

    Args:
      path: the PNG to write.
      test: the test videos.
      results: `Result`s, one panel each.
      title: of the figure.
    """
    classes = range(min(_SHOWN_CLASSES, len(test.class_names)))
    figure = Figure(figsize=(12, 5.2 + 0.95 * len(classes)), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subfigures(2, 1, height_ratios=[0.95 * len(classes), 5.2])

    for label, axis in zip(
        classes, np.atleast_1d(above.subplots(len(classes), 1)), strict=True
    ):
        video = test.videos[np.flatnonzero(test.labels == label)[0]]
        shown = np.linspace(0, len(video) - 1, min(_SHOWN_FRAMES, len(video)))
        axis.imshow(np.concatenate(video[shown.round().astype(int)], axis=1))
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(test.class_names[label], color=COLOURS[label])

    for axis, result in zip(
        np.atleast_1d(below.subplots(1, len(results))), results, strict=True
    ):
        _draw_embeddings(axis, test, result, classes)
    figure.savefig(path, dpi=110)


def _draw_embeddings(axis, test, result, classes):
    videos = np.flatnonzero(np.isin(test.labels, classes))
    labels = test.labels[videos]
    shown = np.concatenate(
        [np.flatnonzero(labels == label)[:_TRAJECTORIES] for label in classes]
    )
    points, _ = principal_components(result.z)
    draw_paths(axis, points[videos], labels, test.class_names, shown)
    measured = result.smoothness
    axis.set_title(
        f"{result.name}: |a|/|v| {measured.acceleration_ratio:.2f},"
        f" order accuracy {measured.order_accuracy:.2f},"
        f" test accuracy {result.accuracy:.2f}",
        fontsize=10,
    )


def draw_learning_curves(path, results):
    """Draws loss, accuracies and GRW's order accuracy over the epochs.

    Args:
      path: the PNG to write.
      results: `Result`s.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, accuracy, order = figure.subplots(1, 3)
    for colour, result in zip(COLOURS, results, strict=False):
        epochs = range(1, len(result.history) + 1)

        def curve(axis, key, label, style=".-", result=result, epochs=epochs, c=colour):
            values = [epoch[key] for epoch in result.history]
            axis.plot(epochs, values, style, color=c, label=f"{result.name} {label}")

        curve(loss, "loss", "training (total)")
        curve(loss, "test_loss", "test", ".--")
        curve(accuracy, "accuracy", "training")
        curve(accuracy, "test_accuracy", "test", ".--")
        if "grw_order_accuracy" in result.history[0]:
            curve(order, "grw_order_accuracy", "order accuracy")
            curve(order, "grw_loss", "loss", ".:")
    for axis, title in (
        (loss, "loss"),
        (accuracy, "accuracy"),
        (order, "GRW, training"),
    ):
        axis.set(title=title, xlabel="epoch")
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)


matplotlib.rcParams["axes.spines.top"] = False
matplotlib.rcParams["axes.spines.right"] = False
