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
from grw_tf.comparison.run import spread
from grw_tf.evaluation.principal_components import principal_components, turned_like

_EXAMPLES, _CLASSES = 4, 4
_THUMBNAILS, _THUMBNAIL_SIZE = 6, 96
_CLOUD = 400


def find_trajectories(
    plan: Plan, names: Sequence[str], seeds: Sequence[int], outcomes: Outcomes
) -> TrajectoriesFound | None:
    """Projects embeddings of the first seed that most variants have finished.

    Each variant has its own components; they are turned to lie like the baseline's.

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
    found = {name: outcomes[name, seed] for name in complete[seed]}
    baseline = found[BASELINE]
    z, clips = baseline.embeddings()
    if z[..., 0].size < 2:
        return None
    shown = choose_examples([baseline.labels[clip] for clip in clips])
    examples = [int(clips[index]) for index in shown]
    reference, panels = None, {}
    for name, outcome in found.items():
        points, shares = principal_components(outcome.embeddings()[0])
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
        embedding=baseline.measures["embedding"],
        clips=len(clips),
        examples=tuple(
            ExampleClip(
                name=baseline.names[clip],
                label=baseline.labels[clip],
                predicted={name: each.predicted[clip] for name, each in found.items()},
            )
            for clip in examples
        ),
        thumbnails=_thumbnails(plan, examples),
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
    return flat[spread(len(flat), _CLOUD)].round(4).tolist()


def _thumbnails(plan, clips):
    """Returns frames of test clips as JPEG in base64, a list for each clip."""
    found = plan.test_clips.open(plan.baseline.config, progress=False).clips({*clips})
    return [_encoded(clip.frames) for clip in found]


def _encoded(frames):
    side = min(_THUMBNAIL_SIZE, frames.shape[1])
    encoded = []
    for frame in frames[spread(len(frames), _THUMBNAILS)]:
        small = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
        jpeg = cv2.imencode(".jpg", small[..., ::-1], quality)[1]
        encoded.append(base64.b64encode(jpeg).decode())
    return encoded
