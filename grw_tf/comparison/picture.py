"""Figures of a comparison's first seed: embeddings of unseen clips, and training."""

import dataclasses
from pathlib import Path
from string import ascii_lowercase

import numpy as np
from matplotlib.figure import Figure

from grw_tf.common.replacing import replacing
from grw_tf.comparison.gather import histories
from grw_tf.comparison.outcomes import CURVES, Outcome, read_outcomes
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.run import spread
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.principal_components import principal_components
from grw_tf.figures.training_curves import draw_training_curves
from grw_tf.figures.trajectories import COLORS, draw_paths

_CLASSES, _FRAMES, _PATHS = 3, 6, 3
_WIDTH, _STRIP_HEIGHT, _PANEL_HEIGHT = 12.0, 1.1, 6.2


def draw_embeddings(plan: Plan, path: Path) -> None:
    """Draws frames of the first classes, and the embeddings of each variant, as PNG.

    The embeddings of a variant are projected on the first two principal components of
    all its kept test clips. The first clips of each class are paths with frame numbers.
    A title's straightness and direction accuracy are of these two components, its other
    measures of all channels.
    """
    outcomes = _first_seed(plan)
    _, clips = outcomes[0].embeddings()
    labels = np.array([plan.class_names.index(outcomes[0].labels[k]) for k in clips])
    classes = sorted(set(labels.tolist()))[:_CLASSES]
    shown = [np.flatnonzero(labels == label)[:_PATHS] for label in classes]
    heights = [_STRIP_HEIGHT, _PANEL_HEIGHT]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_frames(above, plan, {int(clips[first[0]]) for first in shown})
    panels = np.atleast_1d(below.subplots(1, len(outcomes)))
    for axis, variant, outcome in zip(panels, plan.variants, outcomes, strict=True):
        points, shares = principal_components(outcome.embeddings()[0])
        drawn = np.flatnonzero(np.isin(labels, classes))
        paths = np.searchsorted(drawn, np.concatenate(shown)).tolist()
        draw_paths(axis, points[drawn], labels[drawn], paths)
        smoothed = "with" if variant.config.smoothing.layers else "without"
        title = [
            f"Embeddings {smoothed} smoothing",
            _motion(outcome, directions(points, labels)),
            f"test accuracy {outcome.value('accuracy'):.3f} ({len(outcome.labels)}"
            f" videos), {shares.sum():.0%} of the variance",
        ]
        axis.set_title("\n".join(title), fontsize=9, parse_math=False)
    _save(figure, path)


def draw_training(plan: Plan, path: Path) -> None:
    """Draws loss, accuracy and order accuracy over the steps of training, as PNG."""
    outcomes = {(each.run.variant, each.run.seed): each for each in _first_seed(plan)}
    found = histories([variant.name for variant in plan.variants], outcomes)
    other = "accuracy" if plan.baseline.config.has_several_labels else "mAP"
    curves = {
        title: {
            split: {name: dataclasses.asdict(band) for name, band in of.items()}
            for split, of in found.get(title, {}).items()
        }
        for title in CURVES
        if title != other
    }
    _save(draw_training_curves(curves), path)


def _first_seed(plan) -> list[Outcome]:
    seed = plan.seeds[0]
    return [
        *read_outcomes(plan.run(variant, seed) for variant in plan.variants).values()
    ]


def _draw_frames(figure, plan, clips):
    strips = np.atleast_1d(figure.subplots(1, len(clips)))
    records = plan.test_clips.open(plan.baseline.config, progress=False)
    drawn = sorted(records.clips(clips), key=lambda clip: clip.label)
    for number, (axis, clip) in enumerate(zip(strips, drawn, strict=True)):
        shown = clip.frames[spread(len(clip.frames), _FRAMES)]
        axis.imshow(np.concatenate(shown, axis=1))
        axis.set(xticks=[], yticks=[])
        title = f"({ascii_lowercase[number]}) {plan.class_names[clip.label]}"
        axis.set_title(title, color=COLORS[number], parse_math=False)


def _motion(outcome, in_the_plane):
    measures = {
        "|a|/|v|": outcome.value("acceleration_ratio"),
        "order accuracy": outcome.value("order_accuracy"),
        "straightness": in_the_plane.straightness,
        "direction accuracy": in_the_plane.accuracy,
    }
    return ", ".join(
        f"{name} {value:.2f}"
        for name, value in measures.items()
        if value is not None and np.isfinite(value)
    )


def _save(figure, path):
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)
