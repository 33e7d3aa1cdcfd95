"""The Model Garden's MoViNet backbone, built from the project's config."""

import tf_keras
from official.projects.movinet.modeling import movinet

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
    return movinet.Movinet(
        model_id=config.model_id,
        causal=config.causal,
        use_positional_encoding=config.use_positional_encoding,
        conv_type=config.conv_type,
        se_type=config.se_type,
        activation=config.activation,
        gating_activation=GATES[config.gating_activation],
        stochastic_depth_drop_rate=config.stochastic_depth_drop_rate,
        average_pooling_type=average_pooling_type,
    )
