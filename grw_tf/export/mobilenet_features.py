"""The features of a MobileNetV3's stream."""

from grw_tf.models.mobilenet_backbone import scaled


class MobileNetFeatures:
    """Features of a stream's frames, each by itself, by a MobileNetV3.

    Its Keras graph is one for devices as it is: of 4-D tensors, without states. TFLite
    folds batch normalisation into its convolutions, and finds its hard swishes.

    Args:
      model: a MobileNetV3 of `build_model`.
      frames_per_step: how many frames a step takes.
      unit: what 1 in the frames stands for, in 0..1.
    """

    def __init__(self, model, frames_per_step, unit):
        del frames_per_step
        self._network = model.backbone.network
        self._unit = unit

    def __call__(self, image, states):
        """Returns the features [frames, 1, 1, channels].

        Args:
          image: float32 [frames_per_step, size, size, 3].
          states: `StreamStates`, of which it needs none.
        """
        del states
        return self._network(scaled(image, self._unit))["head"]
