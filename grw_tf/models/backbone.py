"""The Model Garden's MoViNet backbone, built from the project's config."""

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.models import block_specs
from grw_tf.models.config import BackboneConfig

GATES = {
    # When official stream weights were trained (July 2021) "hard_sigmoid" was Keras 2's
    # in the Model Garden; today it is relu6(x + 3) / 6, and no string names the old one
    # (tensorflow/models issue 13559).
    "hard_sigmoid_keras": tf_keras.activations.hard_sigmoid,
    "hard_sigmoid_relu6": "hard_sigmoid",
    "sigmoid": "sigmoid",
}


def build_backbone(config: BackboneConfig, average_pooling_type) -> movinet.Movinet:
    """Builds the clip form of a MoViNet.

    Args:
      config: the backbone's config.
      average_pooling_type: of the last layer: "3d" pools over time too, "2d" keeps it.

    Returns:
      A `Movinet` from clips [batch, N, height, width, 3] to (endpoints, states).

    Raises:
      ValueError: for an unknown model id, or positional encoding of a base model.
    """
    block_specs.check_model_id(config.model_id)
    if config.use_positional_encoding and not config.causal:
        raise ValueError(
            "use_positional_encoding=True needs causal=True: the Model Garden leaves"
            " positions out of base models without a word."
        )
    backbone = movinet.Movinet(
        model_id=config.model_id,
        causal=config.causal,
        use_positional_encoding=config.use_positional_encoding,
        conv_type=config.conv_type,
        se_type=config.se_type,
        activation=config.activation,
        gating_activation=GATES[config.gating_activation],
        stochastic_depth_drop_rate=config.stochastic_depth_drop_rate,
        average_pooling_type=average_pooling_type,
        # The Model Garden's experiments give their own; the layers' default is another.
        kernel_regularizer=None,
    )
    if config.stochastic_depth_drop_rate:
        _seedable(backbone)
    _synchronize(backbone)
    return backbone


def _synchronize(backbone):
    """Takes batch statistics over all replicas, in skip connections too.

    There the Model Garden's are of each replica alone, and their moving variances those
    of a sample, not of the batch, which a number of replicas cannot have in common.
    """
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    for layer in backbone.submodules:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            if several:
                layer.synchronized = True
                layer.fused = False
            else:
                layer._bessels_correction_test_only = False


def _seedable(backbone):
    """Replaces layers that draw from TensorFlow's global stream."""
    for block in backbone.submodules:
        layer = getattr(block, "_stochastic_depth", None)
        if isinstance(layer, nn_layers.StochasticDepth):
            block._stochastic_depth = StochasticDepth(
                layer.get_config()["stochastic_depth_drop_rate"], name=layer.name
            )
