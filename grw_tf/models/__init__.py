"""Models: their configs, clip view and streaming view."""

import tensorflow as tf
import tf_keras

from grw_tf.models.classifiers import (
    EmbeddingClassifier,
    MeanClassifier,
    MovinetClassifier,
)
from grw_tf.models.config import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    SmoothingConfig,
)
from grw_tf.models.presets import preset
from grw_tf.models.regularization_config import RegularizationConfig
from grw_tf.models.streaming import StreamingModel

__all__ = [
    "BackboneConfig",
    "HeadConfig",
    "ModelConfig",
    "RegularizationConfig",
    "SmoothingConfig",
    "StreamingModel",
    "build_model",
    "preset",
]


# Layers decide in Python here; converting their code would take a third of the time.
@tf.autograph.experimental.do_not_convert
def build_model(config: ModelConfig) -> tf_keras.Model:
    """Builds the clip view of a model; `StreamingModel(model)` is its streaming view.

    Args:
        config: The complete description of the model.

    Returns:
        A `tf_keras.Model` from clips [batch, frames, size, size, 3] in 0..1 to logits
        [batch, num_classes].

    Raises:
        ValueError: If the config names something that does not exist or does not fit.
    """
    if config.head.embeds:
        return EmbeddingClassifier(config)
    return (MovinetClassifier if config.backbone_pools_time else MeanClassifier)(config)
