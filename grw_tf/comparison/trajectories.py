"""Projects the embeddings of some test clips, variant by variant."""

import base64
import collections
from collections.abc import Sequence

import cv2
import numpy as np

from grw_tf.comparison.differences import Outcomes
from grw_tf.comparison.findings import ExampleClip, Panel, TrajectoriesFound
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.plan import Plan
from grw_tf.evaluation.principal_components import (
    principal_components,
    turned_like,
)

_EXAMPLES, _CLASSES = 4, 4
_THUMBNAILS, _THUMBNAIL_SIZE = 6, 96
_CLOUD = 400


def find_trajectories(
    plan: Plan, names: Sequence[str], seeds: Sequence[int], outcomes: Outcomes
) -> TrajectoriesFound | None:
    """Projects embeddings of the first seed that most variants have finished.

    Each variant has its own components; they are turned to lie like the baseline's.

    Args:
        plan: The comparison.
        names: Names of the variants.
        seeds: Those to look at.
        outcomes: Of the finished runs.

    Returns:
        The example clips with their frames, and for each variant their paths and the
        points of other clips; None if the baseline has finished no seed, or if the only
        clip has one frame.
    """
    complete = {
        seed: [name for name in names if (name, seed) in outcomes]
        for seed in seeds
        if (BASELINE, seed) in outcomes
    }
    if not complete:
        return None
    seed = max(complete, key=lambda seed: len(complete[seed]))
    names = complete[seed]
    found = {name: outcomes[name, seed].embeddings() for name in names}
    z, clips = found[BASELINE]
    if z[..., 0].size < 2:
        return None
    labels = [outcomes[BASELINE, seed].labels[clip] for clip in clips]
    shown = choose_examples(labels)
    reference, panels = None, {}
    for name, (z, _) in found.items():
        points, shares = principal_components(z)
        reference = points if reference is None else reference
        points = turned_like(points, reference)
        # The network chooses their scale freely.
        points /= max(np.abs(points).max(), np.finfo(np.float32).tiny)
        panels[name] = Panel(
            shares=tuple(float(share) for share in np.nan_to_num(shares)),
            paths=points[shown].round(4).tolist(),
            cloud=_thinned(points),
        )
    return TrajectoriesFound(
        seed=seed,
        embedding=outcomes[BASELINE, seed].measures["embedding"],
        clips=len(clips),
        examples=tuple(
            ExampleClip(
                name=outcomes[BASELINE, seed].names[clips[index]],
                label=labels[index],
                predicted={
                    name: outcomes[name, seed].predicted[clips[index]] for name in names
                },
            )
            for index in shown
        ),
        thumbnails=_thumbnails(plan, [int(clips[index]) for index in shown]),
        panels=panels,
    )


def choose_examples(labels: Sequence[str]) -> list[int]:
    """Returns the indices of a few clips, from as many classes as possible."""
    by_class = collections.defaultdict(list)
    for index, label in enumerate(labels):
        by_class[label].append(index)
    queues = list(by_class.values())[:_CLASSES]
    rounds = max(map(len, queues))
    ranked = [q[turn] for turn in range(rounds) for q in queues if turn < len(q)]
    return sorted(ranked[:_EXAMPLES])


def _thinned(points):
    flat = points.reshape(-1, points.shape[-1])
    chosen = np.linspace(0, len(flat) - 1, min(len(flat), _CLOUD)).round().astype(int)
    return flat[chosen].round(4).tolist()


def _thumbnails(plan, clips):
    """Returns frames of test clips as JPEG in base64, a list for each clip."""
    found = plan.test_clips.open(plan.baseline.config, progress=False).clips({*clips})
    return [_encoded(clip.frames) for clip in found]


def _encoded(frames):
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _THUMBNAILS))
    side = min(_THUMBNAIL_SIZE, frames.shape[1])
    return [
        base64.b64encode(
            cv2.imencode(
                ".jpg",
                cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)[
                    ..., ::-1
                ],
                [cv2.IMWRITE_JPEG_QUALITY, 80],
            )[1]
        ).decode()
        for frame in frames[chosen.round().astype(int)]
    ]
