"""GRW smoothing of per-frame embeddings, as a Keras layer."""

import tensorflow as tf
import tf_keras

from grw_tf.losses import tensorflow_ops
from grw_tf.random_walk.smoothing import Smoothing


class _TensorFlowSmoothing:
    """What `tf_keras` spells in its own way for both GRW layers."""

    ops = tensorflow_ops

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Metrics that were attributes would be written into checkpoints.
        self._metrics.extend(
            tf_keras.metrics.Mean(f"{self.name}_{term}") for term in self.METRICS
        )

    def _embed(self, inputs):
        return tf.debugging.check_numerics(
            super()._embed(inputs), f"Embeddings of layer '{self.name}' are not finite"
        )

    def _log(self, *values):
        for metric, value in zip(self._metrics, values, strict=True):
            metric.update_state(value)

    def _create_step(self):
        return self.add_weight(
            "step",
            shape=(),
            dtype=tf.int64,
            initializer="zeros",
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def _advance_step(self):
        self._step.assign_add(1)


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class GRWSmoothing(_TensorFlowSmoothing, Smoothing, tf_keras.layers.Layer):
    """Returns its input, and while training adds the GRW loss of it.

    The loss is `weight` times the mean over clips of the mean of
    `grw_tf.losses.grw_loss` over a clip's windows. It is added with `add_loss`, as the
    mean over the replica's own clips: trainers divide it by the number of replicas as
    they do with every regularizer.

    While training the layer also keeps three metrics, named after it:
    `<name>_loss` (unweighted), `<name>_velocity` (1/2 sum_t |v_t|^2 of a window) and
    `<name>_order_accuracy` (how often the true order of a window's frames is the
    likeliest of all: 1 for smooth embeddings, 0 for rough or constant ones). Nothing
    updates them at inference: what `evaluate` shows of them is 0.

    At inference, and with weight 0, it costs nothing.

    Args:
        window: T, frames in a window, at least 3; the paper takes 0.5-1.0 s of video.
        weight: Lambda, of the whole loss (default 0.1).
        alpha: Of the velocity term within the loss (default 0.5).
        warmup_steps: Training steps over which the weight grows linearly from 0.
        orders: "auto", "exact" or "sampled", see `grw_loss`.
        max_orders: How many orders are sampled, see `grw_loss`.
        seed: Of the sampled orders, see `grw_loss`.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Embeddings [batch, N, K], N >= window; the frames after the last whole
            window have no part in the loss.
        training: Whether the loss is added.
        new_frames: bool [batch, N], False for frames that only repeat the one before; a
            window of such frames alone has no part in the loss and the metrics. All
            frames count if it is not given.

    Input shape: [batch, N, K].

    Output shape: as the input's.

    Raises:
        ValueError: For arguments out of range, and for inputs of another rank or with
            fewer frames than a window.
        tf.errors.InvalidArgumentError: For embeddings that are not finite (except under
            XLA, which has no such check).

    Reference: Goldman et al., Smooth Regularization for Efficient Video Recognition,
    NeurIPS 2025, arXiv 2511.20928.
    """
