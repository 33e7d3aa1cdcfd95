"""Projects embeddings on the few directions in which they vary most."""

import typing

import numpy as np
import numpy.typing as npt
from scipy import linalg


class Projected(typing.NamedTuple):
    """Embeddings on their principal components.

    Attributes:
        points: [clips, N, count].
        shares: [count], shares of the embeddings' variance; NaN if they do not vary.
    """

    points: np.ndarray
    shares: np.ndarray


def principal_components(z: npt.ArrayLike, count: int = 2) -> Projected:
    """Projects embeddings [clips, N, K] on principal components of all their frames.

    Raises:
        ValueError: If there are fewer than `count` components, which are at most K and
            at most the number of frames of all clips.
    """
    z = np.asarray(z, np.float64)
    flat = z.reshape(-1, z.shape[-1])
    if not 1 <= count <= min(flat.shape):
        raise ValueError(
            f"{len(flat)} embeddings of {flat.shape[1]} channels have"
            f" {min(flat.shape)} principal components, not {count}."
        )
    center = flat.mean(axis=0)
    _, scales, directions = np.linalg.svd(flat - center, full_matrices=False)
    variances = scales**2
    total = variances.sum()
    shares = variances[:count] / total if total else np.full(count, np.nan)
    return Projected((z - center) @ directions[:count].T, shares)


def turned_like(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Rotates and mirrors points so that they are as close to others as possible.

    Principal components have no signs, and no order if variances are nearly equal, so
    pictures of two models would differ without a reason. Distances do not change. Both
    are [clips, N, count], of the same clips.
    """
    turn, _ = linalg.orthogonal_procrustes(
        *(both.reshape(-1, both.shape[-1]) for both in (points, others))
    )
    return points @ turn
