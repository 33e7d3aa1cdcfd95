"""One interface to all backbones."""

# Importing the module of a family registers it.
import tensorflow as tf
import tf_keras

from grw_tf.layers.recomputation import recompute
from grw_tf.models import (  # noqa: F401
    csn_backbone,
    mobilenet_backbone,
    movinet_backbone,
    slowfast_backbone,
    slowonly_backbone,
    tsm_backbone,
)
from grw_tf.models.batch_normalization import batch_normalizations, synchronize
from grw_tf.models.config import BackboneConfig, ModelConfig
from grw_tf.models.regularization import regularize
from grw_tf.models.residual_block import ResidualBlock


def build_backbone(config: ModelConfig) -> tf_keras.Model:
    """Builds the clip form of a model's backbone, with its regularizers.

    Returns:
        A Keras model from clips [batch, N, size, size, 3], see `endpoints`.

    Raises:
        ValueError: If the config asks for something that the backbone cannot have.
    """
    chosen = config.backbone
    backbone = chosen.family.build(config)
    blocks = residual_blocks(backbone, chosen)
    regularize(blocks, config)
    if chosen.recompute:
        # After regularizers are in place, for they draw the same in both passes.
        _recompute(blocks, chosen.model_id)
    synchronize(backbone)
    for layer in batch_normalizations(backbone):
        layer.momentum = chosen.norm_momentum
    return backbone


def residual_blocks(
    backbone: tf_keras.Model, config: BackboneConfig
) -> list[ResidualBlock]:
    """Returns the blocks of a built backbone, in the network's order."""
    return config.family.residual_blocks(backbone)


def _recompute(blocks, model_id):
    layers = [block.layer for block in blocks if block.layer is not None]
    if not layers:
        raise ValueError(
            f"backbone.recompute is true: no block of {model_id} is a layer of its own"
            " that could be computed again; leave it out."
        )
    for layer in layers:
        recompute(layer)


def endpoints(
    backbone: tf_keras.Model,
    clips: tf.Tensor,
    training: bool | tf.Tensor | None = False,
) -> dict[str, tf.Tensor]:
    """Runs a backbone.

    Args:
        backbone: A backbone of `build_backbone`.
        clips: [batch, N, size, size, 3] in 0..1.
        training: Whether regularizers act and batch normalizations use the batch's
            statistics.

    Returns:
        Features [batch, N, height, width, channels] by name, with fewer frames where
        the network has strides in time. "head" is the last, after pooling over space.
        For a MoViNet with the official head it is pooled over time too.
    """
    found = backbone(clips, training=training)
    # The Model Garden's MoViNets return their states too.
    return found[0] if isinstance(found, tuple) else found


def endpoint_channels(backbone: tf_keras.Model) -> dict[str, int]:
    """Returns the channels of each endpoint by its name, in the network's order."""
    return {name: tensor.shape[-1] for name, tensor in _outputs(backbone).items()}


def endpoint_frames(backbone: tf_keras.Model, frames: int) -> dict[str, int]:
    """Returns the frames of each endpoint by its name, in the network's order.

    Args:
        backbone: A backbone of `build_backbone`.
        frames: Of a clip. Endpoints have as many, unless the network was built for the
            clip's length and has strides in time.
    """
    # Networks of single frames have four axes.
    return {
        name: (tensor.shape[1] if tensor.shape.rank == 5 else None) or frames
        for name, tensor in _outputs(backbone).items()
    }


def _outputs(backbone):
    found = getattr(backbone, "network", backbone).output
    return found[0] if isinstance(found, tuple) else found


def endpoint_names(config: ModelConfig) -> list[str]:
    """Returns the names of the endpoints of a model's backbone, in its order.

    Building some backbones takes a minute, so it is done only if it must be.
    """
    family = config.backbone.family
    if family.endpoint_names is not None:
        return family.endpoint_names(config.backbone.model_id)
    return list(endpoint_channels(build_backbone(config)))
