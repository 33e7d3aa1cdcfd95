"""`grw_tf.layers.GRWSmoothing` for Keras 3."""

import keras

from grw_tf.keras3 import ops
from grw_tf.random_walk.smoothing import Smoothing


class _Keras3Smoothing:
    """What is specific to Keras 3 in both GRW layers."""

    ops = ops

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        on_jax = keras.backend.backend() == "jax"
        # JAX's trainer does not support metrics of layers.
        names = () if on_jax else self.METRICS
        self._terms = [keras.metrics.Mean(f"{self.name}_{name}") for name in names]
        if on_jax and self._method == "sampled" and self.seed is None:
            raise ValueError(
                f"Layer '{self.name}': on JAX sampled orders need a seed, because a"
                " compiled step would draw the same ones for ever."
            )

    def _log(self, *values):
        for metric, value in zip(self._terms, values, strict=False):
            metric.update_state(value)

    def _create_step(self):
        return self.add_weight(
            name="step", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def _advance_step(self):
        self._step.assign_add(1)


@keras.saving.register_keras_serializable(package="grw_tf")
class GRWSmoothing(_Keras3Smoothing, Smoothing, keras.layers.Layer):
    """Returns its input, and while training adds the GRW loss of it.

    Shapes, metrics and errors are those of `grw_tf.layers.GRWSmoothing`, except that
    non-finite embeddings give a non-finite loss, and that on JAX there are no metrics
    and sampled orders need a seed.

    Args:
        window, weight, alpha, warmup_steps, orders, max_orders, seed: See
            `grw_tf.layers.GRWSmoothing`.
        **kwargs: Arguments of `keras.layers.Layer`.
    """
