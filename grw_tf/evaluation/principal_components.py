"""Embeddings on the few directions in which they vary most, to be looked at."""

import typing

import numpy as np
from scipy import linalg


class Projected(typing.NamedTuple):
    """Embeddings on their principal components.

    Attributes:
        points: [clips, N, count].
        shares: [count], of the embeddings' variance; NaN if they do not vary.
    """

    points: np.ndarray
    shares: np.ndarray


def principal_components(z, count=2) -> Projected:
    """Projects embeddings on the principal components of all of their frames.

    Args:
        z: [clips, N, K].
        count: How many components.

    Raises:
        ValueError: If there are fewer than that: at most K, and the frames of all
            clips.
    """
    z = np.asarray(z, np.float64)
    flat = z.reshape(-1, z.shape[-1])
    if not 1 <= count <= min(flat.shape):
        raise ValueError(
            f"{len(flat)} embeddings of {flat.shape[1]} channels have"
            f" {min(flat.shape)} principal components, not {count}."
        )
    centre = flat.mean(axis=0)
    _, scales, directions = np.linalg.svd(flat - centre, full_matrices=False)
    variances = scales**2
    total = variances.sum()
    shares = variances[:count] / total if total else np.full(count, np.nan)
    return Projected((z - centre) @ directions[:count].T, shares)


def turned_like(points, others):
    """Turns and mirrors points so that they lie as close to others as they can.

    Principal components have no signs, and near equal variances no order: pictures of
    two models would differ for nothing. Distances stay as they are.

    Args:
        points: [clips, N, count].
        others: The same clips' by another model.
    """
    turn, _ = linalg.orthogonal_procrustes(_flat(points), _flat(others))
    return points @ turn


def _flat(points):
    return points.reshape(-1, points.shape[-1])
