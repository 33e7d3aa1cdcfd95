"""The Model Garden's moving average of weights, with an exact swap."""

import tensorflow as tf
from official.modeling import optimization


class MovingAverage(optimization.ExponentialMovingAverage):
    """Swaps weights and averages without rounding.

    The Model Garden's swap adds and subtracts, so that every evaluation moves the
    weights a little, and a training resumed after it ends elsewhere.

    Without dynamic_decay it begins with the first weights, not with the Model Garden's
    zeros.

    Args: see `official.modeling.optimization.ExponentialMovingAverage`.
    """

    def __init__(self, optimizer, *, start_step=0, dynamic_decay=True, **kwargs):
        super().__init__(
            optimizer,
            # Before it, averages are the weights; the first update is at 1.
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
