"""One-dimensional sine-cosine positions."""

import numpy as np


def sincos_positions(positions: int, channels: int) -> np.ndarray:
    """Returns the encodings [positions, channels] of positions 0, 1, ...

    The first half of the channels is sin(p omega_i), the second cos(p omega_i), with
    omega_i = 10000^(-i / (channels / 2 - 1)), as in the published GRW models.

    Raises:
        ValueError: If channels is odd or less than 4.
    """
    if channels % 2 or channels < 4:
        raise ValueError(
            "Sine-cosine positions need an even embed_dim of at least 4, got"
            f" embed_dim={channels}."
        )
    half = channels // 2
    omega = 10000.0 ** (-np.arange(half) / (half - 1))
    angles = np.arange(positions)[:, None] * omega
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
