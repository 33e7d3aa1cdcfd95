"""Measures whether embeddings move straight, each class in a direction of its own."""

import dataclasses

import numpy as np
import numpy.typing as npt

_ROUNDING = np.finfo(np.float32).eps


@dataclasses.dataclass(frozen=True)
class Directions:
    """Measures of the displacements of clips that do not depend on their scale.

    The displacement of a clip is its last embedding minus its first. The direction of a
    class is the mean of the unit displacements of its clips. A clip is judged by
    directions that are estimated without it. A clip without displacement has cosine 0
    to all directions.

    Attributes:
        straightness: |displacement| / length of the path, mean over the clips that
            move: 1 for straight lines, 0 for paths that end where they began. NaN if no
            clip moves.
        consistency: Cosine between a clip's displacement and the direction of its
            class, minus its mean cosine to the other classes' directions, mean over
            clips: 0 if directions do not depend on the class, 2 for two classes in
            opposite directions, 1.5 for three at equal angles.
        accuracy: Share of clips whose displacement is nearest, by cosine, to the
            direction of their own class.
        explained: Share of the variance of displacements that classes explain,
            adjusted for their number (epsilon squared): 1 if all clips of a class have
            the same displacement, 0 on average if displacements do not depend on the
            class. It may be below 0.

    The last three are NaN if no clip moves, or if there are not two classes with at
    least two clips. Clips of classes with a single one are left out of them.
    """

    straightness: float
    consistency: float
    accuracy: float
    explained: float


def directions(z: npt.ArrayLike, labels: npt.ArrayLike) -> Directions:
    """Measures embeddings of labeled clips.

    Args:
        z: Embeddings [clips, N, K].
        labels: Class of each clip, [clips].

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    z, labels = np.asarray(z, np.float64), np.asarray(labels)
    if z.ndim != 3 or not z.size or labels.shape != z.shape[:1]:
        raise ValueError(
            "Expected embeddings [clips, N, K] and labels [clips] of at least one clip,"
            f" got {z.shape} and {labels.shape}."
        )
    displacements = z[:, -1] - z[:, 0]
    lengths = np.linalg.norm(np.diff(z, axis=1), axis=-1).sum(axis=1)
    moving = lengths > 0
    if not moving.any():
        return Directions(*[np.nan] * 4)
    distances = np.linalg.norm(displacements, axis=1)
    straightness = float(np.mean(distances[moving] / lengths[moving]))

    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = counts[classes] > 1
    if len(set(classes[kept])) < 2 or not distances[kept].any():
        return Directions(straightness, *[np.nan] * 3)
    _, classes = np.unique(classes[kept], return_inverse=True)
    cosines = _cosines(_unit(displacements[kept]), classes)
    rows = np.arange(len(classes))
    own = cosines[rows, classes]
    others = (cosines.sum(axis=1) - own) / (cosines.shape[1] - 1)
    cosines[rows, classes] = -np.inf
    return Directions(
        straightness,
        consistency=float(np.mean(own - others)),
        accuracy=float(np.mean(own > cosines.max(axis=1))),
        explained=_explained(displacements[kept], classes),
    )


def _cosines(units, classes):
    """Returns cosines to the directions of all classes, [clips, classes].

    The direction of a clip's own class is that of the class's other clips.
    """
    sums = np.zeros((classes.max() + 1, units.shape[1]))
    np.add.at(sums, classes, units)
    cosines = units @ _unit(sums).T
    without = _unit(sums[classes] - units)
    cosines[np.arange(len(classes)), classes] = np.sum(units * without, axis=1)
    return cosines


def _explained(displacements, classes):
    clips, count = len(classes), classes.max() + 1
    sums = np.zeros((count, displacements.shape[1]))
    np.add.at(sums, classes, displacements)
    means = sums / np.bincount(classes)[:, None]
    within = np.sum((displacements - means[classes]) ** 2)
    total = np.sum((displacements - displacements.mean(axis=0)) ** 2)
    # Differences that rounding makes explain nothing.
    if total <= _ROUNDING**2 * np.sum(displacements**2):
        return np.nan
    return float(1 - (within / (clips - count)) / (total / (clips - 1)))


def _unit(vectors):
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
