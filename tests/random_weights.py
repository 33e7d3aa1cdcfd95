"""Random weights for models of tests."""

import numpy as np


def randomize(layer, seed=0):
    """Moves every weight, moving statistics too, so that none is 0 or 1."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        if "moving_variance" in weight.name:
            # Small ones keep differences between frames alive down to the logits.
            weight.assign(rng.uniform(0.05, 0.2, weight.shape))
        elif weight.dtype.is_floating:
            noise = 0.1 * rng.normal(size=weight.shape)
            weight.assign_add(noise if weight.shape.rank > 1 else np.abs(noise) + 0.2)
