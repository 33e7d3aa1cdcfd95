"""Random Mean Scaling, as a Keras layer."""

import math
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.alpha_distribution import parse_distribution
from grw_tf.layers.local_mean import local_mean
from grw_tf.layers.noise_levels import check_level, noise_shape

FILTERS = ("mean", "gaussian")
COMPONENTS = ("mean", "residual", "feature")

# Larger than any feature map that a local mean makes sense on.
_LARGEST_KERNEL = 99


def check_scaling(
    filter: str,
    kernel_size: int,
    std: float,
    distribution: str,
    component: str,
    level: str,
) -> None:
    """Raises a ValueError if `RandomMeanScaling` cannot have these arguments."""
    if filter not in FILTERS:
        raise ValueError(
            f"Unknown filter {filter!r}: give one of {', '.join(FILTERS)}."
        )
    if component not in COMPONENTS:
        raise ValueError(
            f"Unknown component {component!r}: give one of {', '.join(COMPONENTS)}."
        )
    check_level(level, ("clip", "batch"))
    if not 1 <= kernel_size <= _LARGEST_KERNEL or kernel_size % 2 != 1:
        raise ValueError(
            f"kernel_size must be odd and from 1 to {_LARGEST_KERNEL}, got"
            f" {kernel_size}."
        )
    if not 0 < std < math.inf:
        raise ValueError(f"std must be positive and finite, got {std}.")
    parse_distribution(distribution)


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class RandomMeanScaling(tf_keras.__internal__.layers.BaseRandomLayer):
    """Scales what varies slowly in a feature map by a random number while training.

    y = x + (alpha - 1) m(x), m the mean over a local window in space and time
    (equations 1-4). At inference alpha is its expectation. Where that is 1, as usual,
    the output is the very input, at no cost.

    Args:
        filter: "mean" weighs all neighbors in the window alike, "gaussian" by distance.
        kernel_size: Positions of the window along each axis, odd.
        std: Of the Gaussian filter, in positions.
        distribution: Of alpha, "normal(mean, standard deviation)" or "uniform(low,
            high)", or the `Normal` or `Uniform` that these spell.
        component: What is scaled: "mean" is m(x), "residual" is x - m(x), "feature" is
            x.
        level: What has an alpha of its own: "clip" each clip, "batch" the batch (of the
            replica); it is the same for all positions and channels.
        causal: Whether the window in time ends with the frame itself, see `local_mean`.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: A feature map.
        training: Whether alpha is random.

    Input shape: [batch, time, height, width, channels], or [batch, height, width,
      channels], where the window is in space alone.

    Output shape: as the input's.

    Raises:
        ValueError: For arguments out of range and inputs of another rank.

    Reference: Kim et al., Regularization on Spatio-Temporally Smoothed Feature for
    Action Recognition, CVPR 2020.
    """

    def __init__(
        self,
        filter: str = "mean",
        kernel_size: int = 3,
        std: float = 0.4,
        distribution: str = "normal(1, 0.5)",
        component: str = "mean",
        level: str = "clip",
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_scaling(filter, kernel_size, std, distribution, component, level)
        self.filter = filter
        self.kernel_size = kernel_size
        self.std = std
        self.distribution = str(distribution)
        self.component = component
        self.level = level
        self.causal = causal
        self._alpha = parse_distribution(distribution)

    def acts(self, training: bool | tf.Tensor | None = None) -> bool:
        """Returns whether the output is another than the input.

        Args:
            training: As of a call.
        """
        if training is None:
            training = tf_keras.backend.learning_phase()
        return training or self._alpha.mean != 1

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if inputs.shape.rank not in (4, 5):
            raise ValueError(
                f"Layer '{self.name}' takes [batch, time, height, width, channels] or "
                f"[batch, height, width, channels], got shape {inputs.shape}."
            )
        if training is None:
            training = tf_keras.backend.learning_phase()
        if not self.acts(training):
            return inputs
        if training:
            shape = noise_shape(inputs, self.level)
            alpha = self._alpha.draw(self._random_generator, shape)
        else:
            alpha = self._alpha.mean
        return inputs + tf.cast(alpha - 1, inputs.dtype) * self._scaled(inputs)

    def _scaled(self, x):
        if self.component == "feature":
            return x
        std = self.std if self.filter == "gaussian" else None
        mean = local_mean(x, self.kernel_size, std, self.causal)
        return mean if self.component == "mean" else x - mean

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filter": self.filter,
            "kernel_size": self.kernel_size,
            "std": self.std,
            "distribution": self.distribution,
            "component": self.component,
            "level": self.level,
            "causal": self.causal,
        }
