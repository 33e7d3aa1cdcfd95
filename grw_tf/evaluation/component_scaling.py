"""Scales the slow or the fast component of a trained model's features at inference."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers import RandomMeanScaling
from grw_tf.models.backbone import residual_blocks
from grw_tf.models.regularization import chosen_sites, place_scaling
from grw_tf.models.regularization_config import RMSConfig


@dataclasses.dataclass(frozen=True)
class _Given:
    """A stand-in for the distribution of alpha: the value of a variable."""

    mean: tf.Variable


class ComponentScaling(RandomMeanScaling):
    """Random Mean Scaling whose alpha is the value of a variable, also at inference.

    If alpha is 1, the output equals the input.

    Args:
        alpha: The variable, a float32 scalar. It is not one of the layer's weights.
        **kwargs: Arguments of `RandomMeanScaling`.
    """

    def __init__(self, alpha: tf.Variable, **kwargs: Any):
        super().__init__(**kwargs)
        self._alpha = _Given(alpha)  # type: ignore[assignment]

    def acts(self, training: bool | None = None) -> bool:
        """Returns True, as alpha acts at inference too."""
        del training
        return True


class ScaledModel:
    """The logits of a model with a component of its features scaled, compiled once.

    Args:
        model: A model of `build_model`. It does not change.
        rms: Where features are filtered, the filter, and the `component` to scale.
        named: The prefix of the names `before` and `blocks` in errors.

    Raises:
        ValueError: If `rms` names a part that the model's blocks do not have.
    """

    def __init__(
        self, model: tf_keras.Model, rms: RMSConfig, named: str = "regularization.rms."
    ):
        self._alpha = tf.Variable(1.0, trainable=False)
        with _scaled(model, rms, self._alpha, named):
            self._logits = logits_function(model)

    def __call__(self, clips: tf.Tensor, scale: float) -> tf.Tensor:
        """Returns float32 logits [batch, num_classes] for clips in 0..1.

        At a scale of 1 they are the model's own, apart from rounding, as the model's
        graph can be optimized further.
        """
        self._alpha.assign(scale)
        return self._logits(clips)


def logits_function(model: tf_keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a compiled function from clips to a model's float32 logits."""
    config = model.config
    clips = tf.TensorSpec((None, config.frames, config.size, config.size, 3))

    @tf.function(input_signature=(clips,), autograph=False)
    def logits(clips):
        return tf.cast(model(clips, training=False), tf.float32)

    # Tracing happens here, before the model changes.
    return logits.get_concrete_function()


@contextlib.contextmanager
def _scaled(model, rms, alpha, named):
    def make_layer(**arguments):
        return ComponentScaling(alpha, **arguments)

    blocks = residual_blocks(model.backbone, model.config.backbone)
    sites = chosen_sites(blocks, rms, named)
    earlier = [site.taken_by for site in sites]
    try:
        place_scaling(sites, make_layer, rms, model.config)
        for site, layer in zip(sites, earlier, strict=True):
            if layer is not None:
                site.give_to(_in_turn(layer, site.taken_by))
        yield
    finally:
        for site, layer in zip(sites, earlier, strict=True):
            site.give_to(layer)


def _in_turn(first, second):
    # The model's own RMS acts at inference too if the mean of its alpha is not 1.
    def both(inputs, training=None):
        return second(first(inputs, training=training), training=training)

    return both
