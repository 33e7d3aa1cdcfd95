"""A model that classifies whole clips, rewritten for devices.

Its tensors have at most 4 axes, except for the clip itself: frames take the place of
the batch.
"""

from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.export.movinet_clip_features import MovinetClipFeatures
from grw_tf.export.resnet_clip_features import ResNetClipFeatures
from grw_tf.export.slowfast_clip_features import SlowFastClipFeatures
from grw_tf.export.streaming_network import check_float32, image_unit
from grw_tf.models.config import ModelConfig
from grw_tf.models.regularization import lasting_rms

# By the backbone's family.
_FEATURES: dict[str, Any] = {
    "movinet": MovinetClipFeatures,
    "slowonly": ResNetClipFeatures,
    "csn": ResNetClipFeatures,
    "slowfast": SlowFastClipFeatures,
}


class ClipNetwork:
    """Logits of one clip by a model that is not causal, in float32.

    Args:
        model: A model of `build_model`.
        image_dtype: "uint8" for frames in 0..255, "float32" for frames in 0..1.

    Raises:
        ValueError: If the model cannot be exported so, or is not float32, or an
            argument is invalid.
    """

    def __init__(self, model: tf_keras.Model, image_dtype: str = "uint8") -> None:
        check_clip_model(model.config)
        check_float32(model)
        self.model = model
        self.image_dtype = image_dtype
        features = _FEATURES[model.config.backbone.family.name]
        unit = image_unit(image_dtype)
        self._features = features(model, model.config.frames, unit)

    @property
    def image_spec(self) -> tf.TensorSpec:
        """The spec of the clip [1, frames, size, size, 3]."""
        config = self.model.config
        shape = (1, config.frames, config.size, config.size, 3)
        return tf.TensorSpec(shape, self.image_dtype, "image")

    def classify_clip(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the logits [1, num_classes] of a clip as `image_spec`."""
        frames = tf.reshape(image, self.image_spec.shape[1:])
        x = self._features(tf.cast(frames, tf.float32))
        if self.model.config.backbone_pools_time:
            return self._features.classify(x)
        x = tf.reshape(x, (1, x.shape[0], x.shape[-1]))
        if self.model.config.head.embeds:
            x = self.model.affine(x)
        return self.model.head(x)


def check_clip_model(config: ModelConfig) -> None:
    """Raises a ValueError if a model cannot be exported to classify clips."""
    family = config.backbone.family.name
    servers = "use export.export_saved_model, for servers."
    if config.backbone.causal or family not in _FEATURES:
        raise ValueError(
            f"A causal model or a {family} is not exported to classify whole clips:"
            f" {servers}"
        )
    rms = lasting_rms(config)
    if rms:
        raise ValueError(
            f"regularization.rms.distribution {rms.distribution} has a mean other than"
            " 1, so RMS also acts at inference, which a TFLite file does not compute:"
            f" train with a mean of 1, or {servers}"
        )
