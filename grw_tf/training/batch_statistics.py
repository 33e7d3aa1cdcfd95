"""Estimates the statistics of batch normalizations on clips ("precise BN")."""

import contextlib
import functools
import threading
from collections.abc import Iterable, Sequence

import tensorflow as tf
import tf_keras

from grw_tf.models.batch_normalization import batch_normalizations


def trained_batch_normalizations(model: tf_keras.Model) -> list[tf_keras.layers.Layer]:
    """Returns the batch normalizations of a model whose statistics training moves.

    Those of smoothing layers are left out: they do not act at inference.
    """
    smoothing = {
        id(layer)
        for place in getattr(model, "smoothing", {}).values()
        for layer in batch_normalizations(place)
    }
    return [
        layer
        for layer in batch_normalizations(model)
        if layer.trainable and id(layer) not in smoothing
    ]


class BatchStatistics:
    """Estimates a model's batch statistics, and restores those of its training.

    Clips pass through the model as at inference, with regularizers off, except that
    batch normalizations use the mean and variance of the batch. The estimates are the
    mean and the population variance of all clips together: the variance is the mean
    over batches of E[x^2], minus the square of the mean. Batches are weighted by their
    number of clips. Estimates depend on weights and clips alone, not on the moving
    statistics.

    The clips that several replicas see at once form one batch.

    Args:
        model: The model.
        layers: The batch normalizations to estimate, from
            `trained_batch_normalizations`. Those that the model does not call at
            inference keep their statistics.

    Reference: Wu and Johnson, Rethinking "Batch" in BatchNorm, arXiv 2105.07576,
      section 3.
    """

    def __init__(self, model: tf_keras.Model, layers: Sequence[tf_keras.layers.Layer]):
        self.layers = layers
        self._model = model
        self._kept: list[list[tf.Tensor]] | None = None
        # Each replica is traced in a thread of its own.
        self._replica = threading.local()
        self._called: set[int] = set()
        # Traced once, because all batches are alike.
        self._estimate = tf.function(self._pass_clips)

    def estimate(self, batches: Iterable) -> int:
        """Sets the statistics to estimates, and returns the number of clips.

        Args:
            batches: A dataset of tuples that begin with clips
                `[batch, N, size, size, 3]` in 0..1 or a dict of them. With several
                replicas it is distributed, and each replica has clips of each batch.

        Raises:
            ValueError: If the model calls one of the layers twice.
        """
        if self._kept is None:
            self._kept = [
                [component.read_value() for component in _components(variable)]
                for variable in self._variables()
            ]
        with contextlib.ExitStack() as stack:
            for layer in self.layers:
                call = functools.partial(self._normalize_by_batch, layer)
                stack.enter_context(_called_by(layer, call))
            return int(self._estimate(iter(batches)))

    @property
    def is_in_force(self) -> bool:
        """Whether the statistics are estimates, which `put_back` would replace."""
        return self._kept is not None

    def put_back(self) -> None:
        """Sets the statistics to their values before `estimate`, bit for bit."""
        if self._kept is None:
            return
        for variable, values in zip(self._variables(), self._kept, strict=True):
            for component, value in zip(_components(variable), values, strict=True):
                component.assign(value)
        self._kept = None

    def _variables(self):
        return [
            variable
            for layer in self.layers
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

    def _pass_clips(self, iterator):
        strategy = tf.distribute.get_strategy()
        clips = tf.constant(0.0)
        pooled = [_nothing(layer) for layer in self.layers]
        for batch in iterator:
            added, found = tf.nest.map_structure(
                lambda value: strategy.experimental_local_results(value)[0],
                strategy.run(self._statistics_of_batch, args=(batch[0],)),
            )
            clips += added
            pooled = [
                _pooled(before, new, added / clips)
                for before, new in zip(pooled, found, strict=True)
            ]
        for layer, (mean, variance) in zip(self.layers, pooled, strict=True):
            if id(layer) in self._called:
                layer.moving_mean.assign(tf.reshape(mean, layer.moving_mean.shape))
                layer.moving_variance.assign(
                    tf.reshape(variance, layer.moving_variance.shape)
                )
        return clips

    def _statistics_of_batch(self, inputs):
        """Returns the number of clips, and a mean and variance for each layer."""
        own_clips = tf.cast(tf.shape(tf.nest.flatten(inputs)[0])[0], tf.float32)
        clips = _sum_over_replicas(own_clips)
        self._replica.share = own_clips / clips
        self._replica.found = {}
        self._model(inputs, training=False)
        return clips, [
            self._replica.found.get(id(layer), _nothing(layer)) for layer in self.layers
        ]

    def _normalize_by_batch(self, layer, inputs, training=None):
        """Replaces the `call` of a batch normalization."""
        before = getattr(layer, "before", None)
        if before is not None:
            inputs = before(inputs, training=training)
        # At least float32.
        x = tf.cast(inputs, layer.moving_mean.dtype)
        axes = [axis for axis in range(x.shape.rank) if axis not in layer.axis]
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            share = tf.cast(self._replica.share, x.dtype)
            whole = _sum_over_replicas(share * mean)
            variance += tf.square(mean - whole)
            variance = _sum_over_replicas(share * variance)
            mean = whole
        if id(layer) in self._replica.found:
            raise ValueError(
                f"The model calls its batch normalization {layer.name!r} twice, so its"
                " statistics cannot be estimated: set batch_norm_recalibration to 0."
            )
        self._called.add(id(layer))
        self._replica.found[id(layer)] = _flat(mean), _flat(variance)
        beta, gamma = (
            None if weight is None else tf.reshape(weight, tf.shape(mean))
            for weight in (layer.beta, layer.gamma)
        )
        normalized = tf.nn.batch_normalization(
            x, mean, variance, beta, gamma, layer.epsilon
        )
        return tf.cast(normalized, inputs.dtype)


@contextlib.contextmanager
def _called_by(layer, call):
    """Replaces a layer's `call` within the context."""
    layer.call = call
    try:
        yield
    finally:
        del layer.call


def _components(variable):
    """Returns the variable of each replica of this process."""
    return tf.distribute.get_strategy().experimental_local_results(variable)


def _nothing(layer):
    moving = layer.moving_mean, layer.moving_variance
    return tuple(tf.zeros_like(_flat(value)) for value in moving)


def _flat(values):
    return tf.reshape(values, (-1,))


def _pooled(before, new, share):
    """Pools means and variances, weighted by the new ones' share of the clips."""
    (mean, variance), (new_mean, new_variance) = before, new
    share = tf.cast(share, mean.dtype)
    step = new_mean - mean
    variance = (1 - share) * (variance + share * tf.square(step)) + share * new_variance
    return mean + share * step, variance


def _sum_over_replicas(value):
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
