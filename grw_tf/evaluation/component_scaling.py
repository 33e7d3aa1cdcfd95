"""Scaling what varies slowly or fast in a trained model's features, at inference."""

import contextlib
import dataclasses

import tensorflow as tf

from grw_tf.layers import RandomMeanScaling
from grw_tf.models.backbone import residual_blocks
from grw_tf.models.regularization import norm_sites, place_scaling
from grw_tf.models.regularization_config import RMSConfig


@dataclasses.dataclass(frozen=True)
class _Given:
    """Stands for a distribution of alpha: whatever the variable holds."""

    mean: tf.Variable


class ComponentScaling(RandomMeanScaling):
    """Random Mean Scaling whose alpha, at inference, is a variable's value.

    At 1 the output equals the input.

    Args:
        alpha: The variable, a float32 scalar; not one of the layer's own.
        **kwargs: Of `RandomMeanScaling`.
    """

    def __init__(self, alpha: tf.Variable, **kwargs):
        super().__init__(**kwargs)
        self._alpha = _Given(alpha)

    def acts(self, training=None):
        return True


class ScaledModel:
    """The logits of a model with a component of its features scaled, compiled once.

    Args:
        model: A model of `build_model`. It is left as it was.
        rms: Where and by which filter; its `component` is scaled.
        named: What errors put before the names of `before` and `blocks`.

    Raises:
        ValueError: If `rms` names what the model's blocks do not have.
    """

    def __init__(self, model, rms: RMSConfig, named="regularization.rms."):
        self._alpha = tf.Variable(1.0, trainable=False)
        with _scaled(model, rms, self._alpha, named):
            self._logits = logits_function(model)

    def __call__(self, clips, scale):
        """Returns float32 logits [batch, num_classes].

        Args:
            clips: [batch, N, size, size, 3] in 0..1.
            scale: Of the component; at 1 the logits are the model's own, but for how
                they are rounded: its graph can be optimised where this one cannot.
        """
        self._alpha.assign(scale)
        return self._logits(clips)


def logits_function(model):
    """Returns a compiled function from clips to a model's float32 logits."""
    config = model.config
    clips = tf.TensorSpec((None, config.frames, config.size, config.size, 3))

    @tf.function(input_signature=(clips,), autograph=False)
    def logits(clips):
        return tf.cast(model(clips, training=False), tf.float32)

    # Traced now, while the model is as it is.
    return logits.get_concrete_function()


@contextlib.contextmanager
def _scaled(model, rms, alpha, named):
    def make_layer(**arguments):
        return ComponentScaling(alpha, **arguments)

    blocks = residual_blocks(model.backbone, model.config.backbone)
    sites = norm_sites(blocks, rms, named)
    earlier = [site.norm.before for site in sites]
    try:
        place_scaling(sites, make_layer, rms, model.config)
        for site, layer in zip(sites, earlier, strict=True):
            if layer is not None:
                site.norm.before = _in_turn(layer, site.norm.before)
        yield
    finally:
        for site, layer in zip(sites, earlier, strict=True):
            site.norm.before = layer


def _in_turn(first, second):
    # The model's own RMS acts at inference too if its alpha has another mean than 1.
    def both(inputs, training=None):
        return second(first(inputs, training=training), training=training)

    return both
