"""A model's streaming view, rewritten for devices.

It gives the numbers of `grw_tf.models.StreamingModel` with the same weights. Its
tensors have at most 4 dimensions, as GPU delegates require, with time in place of the
batch, and its states stay bounded.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.common.checks import check_positive
from grw_tf.export.frame_features import (
    FrameFeatures,
    MobileNetFeatures,
    ShiftedMobileNetFeatures,
)
from grw_tf.export.movinet_features import MovinetFeatures
from grw_tf.export.stream_states import StreamStates
from grw_tf.models.input_checks import check_states
from grw_tf.models.streaming import (
    as_stream_states,
    check_causal,
    head_states,
    streaming_head,
)

IMAGE_DTYPES = ("uint8", "float32")
TARGETS = ("cpu", "gpu")

# By the backbone's family; other families use Keras' own graph.
_FEATURES: dict[str, Any] = {
    "movinet": MovinetFeatures,
    "mobilenet_v3": MobileNetFeatures,
    "tsm": ShiftedMobileNetFeatures,
}


class StreamingNetwork:
    """Steps of a stream of one video, in float32.

    Args:
        model: A causal model of `build_model`.
        frames_per_step: Number of frames that a step takes.
        image_dtype: "uint8" for frames in 0..255, "float32" for frames in 0..1.
        target: "cpu", or "gpu" for states in float32 alone, because GPU delegates
            compute in floats: the counts of frames are float32, too.

    Raises:
        ValueError: If the model is not causal or not float32, or an argument is
            invalid.
    """

    def __init__(
        self,
        model: tf_keras.Model,
        frames_per_step: int = 1,
        image_dtype: str = "uint8",
        target: str = "cpu",
    ) -> None:
        check_causal(model.config)
        check_float32(model)
        check_positive(frames_per_step=frames_per_step)
        unit = image_unit(image_dtype)
        _check_known("target", target, TARGETS)
        self.model = model
        self.frames_per_step = frames_per_step
        self.image_dtype = image_dtype
        self._count_dtype = tf.float32 if target == "gpu" else tf.int32
        features = _FEATURES.get(model.config.backbone.family.name, FrameFeatures)
        self._head = streaming_head(model)
        self._features = features(model, frames_per_step, unit)
        self._specs = self._find_states()

    @property
    def image_spec(self) -> tf.TensorSpec:
        """The spec of the frames [frames_per_step, size, size, 3]."""
        size = self.model.config.size
        shape = (self.frames_per_step, size, size, 3)
        return tf.TensorSpec(shape, self.image_dtype, "image")

    @property
    def signatures(self) -> list[str]:
        """Names of the signatures: "step", and "classify" if steps give no logits."""
        on_demand = self._head is not None and self._head.on_demand
        return ["step", "classify"] if on_demand else ["step"]

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the states as a dict of `tf.TensorSpec`s; all start at zero."""
        return dict(self._specs)

    def step(
        self, image: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Takes in the next frames.

        Args:
            image: As `image_spec`.
            states: As the last step returned them, or zeros.

        Returns:
            (logits [1, num_classes] after the last frame, or None for the "transformer"
            head, which gives them on demand; the new states).
        """
        check_states(states, self._specs)
        kept = StreamStates(states, self._count_dtype)
        x = self._features(tf.cast(image, tf.float32), kept)
        if self._head is None:
            return self._features.classify(x), kept.new
        x = tf.reshape(x, (1, x.shape[0], x.shape[-1]))
        if self.model.config.head.embeds:
            x = self.model.affine(x)
        logits, new = self._head.update(x, head_states(states))
        return logits, kept.new | as_stream_states(new)

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [1, num_classes] of a "transformer" head's states.

        Raises:
            ValueError: For the official head, whose steps give the logits.
        """
        if self._head is None:
            raise ValueError("The official head gives its logits at each step.")
        return self._head.classify(head_states(states))

    def classify_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the specs of the states that `classify` takes."""
        return as_stream_states(head_states(self._specs))

    def _find_states(self):
        found = StreamStates(count_dtype=self._count_dtype)
        trace = tf.function(lambda image: self._features(image, found), autograph=False)
        trace.get_concrete_function(tf.TensorSpec(self.image_spec.shape, tf.float32))
        if self._head is None:
            return found.specs
        specs = as_stream_states(self._head.state_specs(batch_size=1))
        return found.specs | {
            name: tf.TensorSpec(spec.shape, self._count_dtype)
            if spec.dtype.is_integer
            else spec
            for name, spec in specs.items()
        }


def check_float32(model: tf_keras.Model) -> None:
    """Raises a ValueError if a model computes in another type than float32."""
    if model.backbone.compute_dtype != "float32":
        raise ValueError(
            f"The model computes in {model.backbone.compute_dtype}: build it under the"
            " float32 policy, with the same weights, to export it."
        )


def image_unit(image_dtype: str) -> float:
    """Returns the value in 0..1 that 1 stands for in frames of a type.

    Raises:
        ValueError: If the type is none of IMAGE_DTYPES.
    """
    _check_known("image_dtype", image_dtype, IMAGE_DTYPES)
    return 1 / 255 if image_dtype == "uint8" else 1.0


def _check_known(name, value, known):
    if value not in known:
        raise ValueError(f"Unknown {name} {value!r}; known: {', '.join(known)}.")
