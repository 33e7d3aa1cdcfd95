"""How the embeddings of some test clips move, variant by variant."""

import base64
import collections

import cv2
import numpy as np

from grw_tf.comparison.variants import BASELINE
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.principal_components import (
    principal_components,
    turned_like,
)

_EXAMPLES, _CLASSES = 4, 4
_THUMBNAILS, _THUMBNAIL_SIZE = 6, 96
_CLOUD = 400


def find_trajectories(plan, names, seeds, outcomes) -> dict | None:
    """Projects embeddings of the first seed that most variants have finished.

    Each variant has its own components; they are turned to lie like the baseline's.

    Args:
      plan: the comparison.
      names: of the variants.
      seeds: those to look at.
      outcomes: finished runs by (variant, seed).

    Returns:
      The example clips, with frames as JPEG in base64, and for each variant their paths
      and the points of other clips; None if the baseline has finished none, or if one
      clip of one frame is all there is.
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
        # Their scale is the network's own choice.
        points /= max(np.abs(points).max(), np.finfo(np.float32).tiny)
        panels[name] = {
            "shares": [float(share) for share in np.nan_to_num(shares)],
            "paths": points[shown].round(4).tolist(),
            "cloud": _thinned(points),
        }
    return {
        "seed": seed,
        "embedding": outcomes[BASELINE, seed].measures["embedding"],
        "clips": len(clips),
        "examples": [
            {
                "name": outcomes[BASELINE, seed].names[clips[index]],
                "label": labels[index],
                "predicted": {
                    name: outcomes[name, seed].predicted[clips[index]] for name in names
                },
            }
            for index in shown
        ],
        "thumbnails": _thumbnails(plan, [int(clips[index]) for index in shown]),
        "panels": panels,
    }


def choose_examples(labels) -> list[int]:
    """Returns the indices of a few clips, of as many classes as may be.

    Args:
      labels: of the clips.
    """
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
    frames = {}
    records = EvaluationRecords(plan.test_records, plan.model_config, progress=False)
    for number, clip in enumerate(records):
        if number in clips:
            frames[number] = clip.frames
        if len(frames) == len(clips):
            break
    return [_encoded(frames[clip]) for clip in clips]


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
