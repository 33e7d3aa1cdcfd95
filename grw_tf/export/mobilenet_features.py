"""The features of a MobileNetV3's stream."""

from grw_tf.export.frame_features import FrameFeatures
from grw_tf.models.mobilenet_backbone import scaled


class MobileNetFeatures(FrameFeatures):
    """Features of a stream's frames, each by itself, by a MobileNetV3.

    Its Keras graph is one for devices as it is: of 4-D tensors, without states. TFLite
    folds batch normalization into its convolutions, and finds its hard swishes.

    Args: as `FrameFeatures`; the model is a MobileNetV3.
    """

    def _of(self, image):
        return self._backbone.network(scaled(image, self._unit))["head"]
