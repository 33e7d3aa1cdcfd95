"""RandomDrop, which is stochastic depth of the whole batch."""

from typing import Any

import tf_keras

from grw_tf.layers.stochastic_depth import StochasticDepth


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class RandomDrop(StochasticDepth):
    """Drops a residual branch at random while training, and else scales it up.

    It is `StochasticDepth` with the defaults of Random Mean Scaling's comparison: in
    training the branch is times 0 (alpha = beta = 0) or 1 / (1 - rate); at inference
    the output is the very input, at no cost.

    Args:
        rate: How often the branch is dropped, in [0, 1).
        level: "batch" drops all of the (replica's) batch or nothing, "clip" each clip
            by itself.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, ...].
        training: Whether it acts.

    Input shape: [batch, ...].

    Output shape: as the input's.

    Raises:
        ValueError: For arguments out of range.

    Reference: Huang et al., 2016, arXiv 1603.09382; Table 2 of Kim et al.,
    Regularization on Spatio-Temporally Smoothed Feature for Action Recognition, CVPR
    2020.
    """

    def __init__(self, rate: float = 0.5, level: str = "batch", **kwargs: Any) -> None:
        super().__init__(rate, level, **kwargs)
