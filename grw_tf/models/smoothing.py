"""The smoothing layers of a model, from its config."""

import dataclasses

import tf_keras

from grw_tf.layers import GRWSmoothing, IntermediateGRWSmoothing
from grw_tf.models import block_specs
from grw_tf.models.config import ModelConfig

FINAL = "final"


def build_smoothing(config: ModelConfig, endpoint_shapes):
    """Builds the smoothing layers that the config names.

    Args:
      config: the model's config.
      endpoint_shapes: shapes [batch, N, height, width, channels] of the backbone's
        endpoints.

    Returns:
      Layers by the name of the place they attach to.

    Raises:
      ValueError: for a place that the model does not have.
    """
    official = config.head.type == "official"
    known = block_specs.endpoint_names(config.backbone.model_id)
    if official:
        # Its pooling leaves no time to smooth over.
        known.remove("head")
    else:
        known.append(FINAL)
    arguments = dataclasses.asdict(config.smoothing)
    layers = {}
    for place in arguments.pop("layers"):
        if place not in known:
            hint = (
                " ('final' is the embedding of a transformer head)"
                if place == FINAL
                else ""
            )
            raise ValueError(
                f"Unknown smoothing layer {place!r} for head.type="
                f"{config.head.type!r}{hint}; known: {', '.join(known)}."
            )
        if place == FINAL:
            layers[place] = GRWSmoothing(name="grw", **arguments)
        else:
            layer = IntermediateGRWSmoothing(name=f"grw_{place}", **arguments)
            layer(tf_keras.Input((config.frames, *endpoint_shapes[place][2:])))
            layers[place] = layer
    return layers
