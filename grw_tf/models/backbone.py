"""The backbones there are, by one interface."""

from grw_tf.models import (
    block_specs,
    mobilenet_backbone,
    movinet_backbone,
    slowonly_backbone,
)
from grw_tf.models.config import ModelConfig
from grw_tf.models.regularization import regularize
from grw_tf.models.synchronization import synchronize

RESIDUAL_BLOCKS = {
    "movinet": movinet_backbone.residual_blocks,
    "slowonly": slowonly_backbone.residual_blocks,
    "mobilenet_v3": mobilenet_backbone.residual_blocks,
}


def model_ids():
    """Lists the model ids of all families."""
    return (
        *block_specs.model_ids(),
        *slowonly_backbone.MODEL_IDS,
        *mobilenet_backbone.MODEL_IDS,
    )


def build_backbone(config: ModelConfig):
    """Builds the clip form of a model's backbone, with its regularisers.

    Args:
      config: the model's config.

    Returns:
      A Keras model from clips [batch, N, size, size, 3], see `endpoints`.

    Raises:
      ValueError: for an unknown model id, or what the backbone cannot have.
    """
    chosen = config.backbone
    if chosen.model_id not in model_ids():
        raise ValueError(
            f"Unknown model_id {chosen.model_id!r:.80}; known:"
            f" {', '.join(model_ids())}."
        )
    if chosen.family == "slowonly":
        backbone = slowonly_backbone.SlowOnly(chosen)
    elif chosen.family == "mobilenet_v3":
        backbone = mobilenet_backbone.MobileNetV3(chosen, config.size)
    else:
        pooling = "3d" if config.backbone_pools_time else "2d"
        backbone = movinet_backbone.build_movinet(chosen, pooling)
    regularize(RESIDUAL_BLOCKS[chosen.family](backbone), config)
    synchronize(backbone)
    return backbone


def endpoints(backbone, clips, training=False):
    """Runs a backbone.

    Args:
      backbone: of `build_backbone`.
      clips: [batch, N, size, size, 3] in 0..1.
      training: whether regularisers act and statistics are the batch's.

    Returns:
      Features [batch, N, height, width, channels] by name. "head" is the last, after
      pooling over space, of a MoViNet with the official head over time too.
    """
    found = backbone(clips, training=training)
    # The Model Garden's MoViNets give their states too.
    return found[0] if isinstance(found, tuple) else found


def endpoint_channels(backbone) -> dict[str, int]:
    """Returns the channels of each endpoint by its name, in the network's order."""
    network = getattr(backbone, "network", backbone)
    found = network.output
    found = found[0] if isinstance(found, tuple) else found
    return {name: tensor.shape[-1] for name, tensor in found.items()}
