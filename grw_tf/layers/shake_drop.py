"""ShakeDrop, as a Keras layer."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.alpha_distribution import Uniform
from grw_tf.layers.noise_levels import check_level, check_rate, noise_shape


def check_shake(
    rate: float, alpha: Sequence[float], beta: Sequence[float], level: str
) -> None:
    """Raises a ValueError if `ShakeDrop` cannot have these arguments."""
    check_rate(rate)
    check_level(level)
    for name, bounds in (("alpha", alpha), ("beta", beta)):
        if len(bounds) != 2 or not all(map(math.isfinite, bounds)):
            raise ValueError(f"{name} must be two finite bounds, got {tuple(bounds)}.")
        Uniform(*bounds)
    expectation = _expectation(rate, Uniform(*alpha))
    if expectation <= 0:
        raise ValueError(
            "The branch's expected factor 1 - rate + rate E[alpha] must be positive,"
            f" got {expectation:g}: raise alpha or lower rate."
        )


def _expectation(rate, alpha):
    return 1 - rate + rate * alpha.mean


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class ShakeDrop(tf_keras.__internal__.layers.BaseRandomLayer):
    """Disturbs a residual branch and, in another way, its gradient while training.

    For each batch b is 1, or 0 at a rate. The output is the branch times
    b + alpha - b alpha, and its gradient the output's times b + beta - b beta, with
    alpha and beta uniform and independent. So the batch either passes as it is, or with
    alpha forwards and beta backwards.

    Both factors are divided by the expectation of the first, E = 1 - rate + rate
    E[alpha], so that at inference the output is the very input, at no cost. The paper
    multiplies by E at inference instead: that is the same network with the scale of the
    branch's last layer times E.

    Args:
        rate: How often b is 0, in [0, 1).
        alpha, beta: Lower and upper bound of either.
        level: What has an alpha and a beta of its own: "batch" the batch (of the
            replica), "clip" each clip, "channel" each channel of a clip, "pixel" each
            value.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: The residual branch.
        training: Whether it acts.

    Input shape: [batch, ..., channels].

    Output shape: as the input's.

    Raises:
        ValueError: For arguments out of range, among them an alpha for which E is not
            positive.

    Reference: Yamada et al., 2018, arXiv 1802.02375; the defaults are those of Table 2
    of Kim et al., Regularization on Spatio-Temporally Smoothed Feature for Action
    Recognition, CVPR 2020.
    """

    def __init__(
        self,
        rate: float = 0.5,
        alpha: Sequence[float] = (0.0, 0.0),
        beta: Sequence[float] = (0.0, 0.5),
        level: str = "pixel",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_shake(rate, alpha, beta, level)
        self.rate = rate
        self.alpha = tuple(alpha)
        self.beta = tuple(beta)
        self.level = level
        self._alpha, self._beta = Uniform(*self.alpha), Uniform(*self.beta)
        self._expectation = _expectation(rate, self._alpha)

    def acts(self, training: bool | tf.Tensor | None = None) -> bool:
        """Returns whether the output is another than the input.

        Args:
            training: As of a call.
        """
        if training is None:
            training = tf_keras.backend.learning_phase()
        return training and self.rate > 0

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if not self.acts(training):
            return inputs
        kept = Uniform(0, 1).draw(self._random_generator, (), nonce=1) >= self.rate
        forward = self._factor(kept, self._alpha, inputs, nonce=2)
        backward = self._factor(kept, self._beta, inputs, nonce=3)
        constant = tf.stop_gradient(inputs)
        # The difference is 0 exactly. That of two products is not, where XLA fuses one
        # with the sum, and a dropped branch would leave a trace.
        return forward * constant + backward * (inputs - constant)

    def _factor(self, kept, distribution, inputs, nonce):
        shape = noise_shape(inputs, self.level)
        drawn = distribution.draw(self._random_generator, shape, nonce)
        return tf.cast(tf.where(kept, 1.0, drawn) / self._expectation, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "alpha": self.alpha,
            "beta": self.beta,
            "level": self.level,
        }
