"""Streaming features of a MobileNetV3."""

from grw_tf.export.frame_features import FrameFeatures
from grw_tf.models.mobilenet_backbone import scaled


class MobileNetFeatures(FrameFeatures):
    """Features of a stream's frames, each by itself, by a MobileNetV3.

    Its Keras graph suits devices as it is: it has 4-D tensors and no states. TFLite
    folds batch normalization into its convolutions, and recognizes its hard swishes.

    Args: as `FrameFeatures`; the model is a MobileNetV3.
    """

    def _of(self, image):
        return self._backbone.network(scaled(image, self._unit))["head"]
