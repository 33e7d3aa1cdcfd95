"""Figures of a comparison's first seed: embeddings of unseen clips, and training."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from grw_tf.common.replacing import replacing
from grw_tf.comparison.outcomes import CURVES, Outcome, read_outcomes
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.run import spread
from grw_tf.evaluation.principal_components import principal_components
from grw_tf.figures.trajectories import COLORS, draw_paths

_CLASSES, _FRAMES, _PATHS = 3, 12, 2
_ROW_HEIGHT, _PANEL_HEIGHT = 0.95, 5.2


def draw_embeddings(plan: Plan, path: Path, title: str) -> None:
    """Draws frames of the first classes, and the embeddings of each variant, as PNG.

    The embeddings of a variant are projected on the first two principal components of
    all its drawn test clips; a few clips of each class are paths with frame numbers.
    """
    outcomes = _first_seed(plan)
    _, clips = outcomes[0].embeddings()
    labels = np.array([plan.class_names.index(outcomes[0].labels[k]) for k in clips])
    classes = [label for label in range(len(plan.class_names)) if label in labels]
    shown = [np.flatnonzero(labels == label)[:_PATHS] for label in classes[:_CLASSES]]
    frames_height = _ROW_HEIGHT * len(shown)
    figure = Figure(figsize=(12, _PANEL_HEIGHT + frames_height), layout="constrained")
    figure.suptitle(title, parse_math=False)
    heights = [frames_height, _PANEL_HEIGHT]
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_frames(above, plan, {int(clips[first[0]]) for first in shown})
    panels = np.atleast_1d(below.subplots(1, len(outcomes)))
    for axis, outcome in zip(panels, outcomes, strict=True):
        drawn = np.flatnonzero(np.isin(labels, classes[:_CLASSES]))
        points, _ = principal_components(outcome.embeddings()[0])
        paths = np.searchsorted(drawn, np.concatenate(shown)).tolist()
        draw_paths(axis, points[drawn], labels[drawn], plan.class_names, paths)
        axis.set_title(_measures(outcome), fontsize=10, parse_math=False)
    _save(figure, path)


def draw_training(plan: Plan, path: Path) -> None:
    """Draws loss, accuracy and order accuracy over the steps of training, as PNG."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, len(CURVES))
    for axis, (title, tag) in zip(panels, CURVES.items(), strict=True):
        for color, outcome in zip(COLORS, _first_seed(plan), strict=False):
            for split, style in (("train", ".-"), ("validation", "o--")):
                if curve := outcome.history.get((split, tag)):
                    x, y = zip(*curve.items(), strict=True)
                    name = f"{outcome.run.variant}, {split}"
                    axis.plot(x, y, style, color=color, label=name)
        axis.set(xlabel="step", title=title)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.lines:
            axis.legend(fontsize=8)
    _save(figure, path)


def _first_seed(plan) -> list[Outcome]:
    seed = plan.seeds[0]
    return [
        *read_outcomes(plan.run(variant, seed) for variant in plan.variants).values()
    ]


def _draw_frames(figure, plan, clips):
    rows = np.atleast_1d(figure.subplots(len(clips), 1))
    records = plan.test_clips.open(plan.baseline.config, progress=False)
    drawn = sorted(records.clips(clips), key=lambda clip: clip.label)
    for number, (axis, clip) in enumerate(zip(rows, drawn, strict=True)):
        shown = clip.frames[spread(len(clip.frames), _FRAMES)]
        axis.imshow(np.concatenate(shown, axis=1))
        axis.set(xticks=[], yticks=[])
        label = axis.set_ylabel(plan.class_names[clip.label], color=COLORS[number])
        label.set_parse_math(False)


def _measures(outcome):
    told = [f"{outcome.run.variant}: test accuracy {outcome.value('accuracy'):.2f}"]
    for key, title in (
        ("acceleration_ratio", "|a| / |v|"),
        ("order_accuracy", "order accuracy"),
    ):
        if (value := outcome.value(key)) is not None:
            told.append(f"{title} {value:.2f}")
    return ", ".join(told)


def _save(figure, path):
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)
