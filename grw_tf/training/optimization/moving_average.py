"""The Model Garden's moving average of weights, with an exact swap."""

from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import optimization


class MovingAverage(optimization.ExponentialMovingAverage):
    """Swaps weights and averages without rounding.

    The Model Garden's swap adds and subtracts, so every evaluation moves the weights a
    little, and a training that resumes after it ends with other weights.

    Without `dynamic_decay`, the average starts from the first weights, not from zeros
    as the Model Garden's does. For the arguments, see
    `official.modeling.optimization.ExponentialMovingAverage`.
    """

    def __init__(
        self,
        optimizer: tf_keras.optimizers.legacy.Optimizer,
        *,
        start_step: int = 0,
        dynamic_decay: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            optimizer,
            # Before start_step, averages equal the weights; the first update is at 1.
            start_step=start_step if dynamic_decay else max(start_step, 2),
            dynamic_decay=dynamic_decay,
            **kwargs,
        )

    @tf.function
    def _swap_weights(self):
        strategy = tf.distribute.get_strategy()

        def swap(average, weight):
            kept = tf.identity(average)
            average.assign(weight)
            weight.assign(kept)

        for pair in zip(self._average_weights, self._model_weights, strict=True):
            strategy.extended.update(pair[0], swap, args=(pair[1],), group=False)
