"""The streaming view of a model: a few frames at a time, on the same variables."""

from collections.abc import Mapping
from typing import TypeVar

import tensorflow as tf
import tf_keras

from grw_tf.layers.streaming_head import StreamingHead
from grw_tf.models.config import ModelConfig
from grw_tf.models.input_checks import check_frames, check_states
from grw_tf.models.regularization import lasting_rms

_HEAD_PREFIX = "state_temporal_head_"

_Value = TypeVar("_Value")


class StreamingModel(tf.Module):
    """Feeds a causal model frame by frame, or in chunks of any size.

    A stream that is fed a clip ends with the clip's logits. It has no variables: it
    calls the model's layers, and keeps what they need between calls as states, a dict
    of tensors that start at zero.

    Args:
        model: A causal model of `build_model`.

    Raises:
        ValueError: If the model is not a causal model of `build_model`.
    """

    def __init__(self, model: tf_keras.Model) -> None:
        super().__init__()
        check_causal(model.config)
        self.model = model
        self._family = model.config.backbone.family
        self._head = streaming_head(model)

    @property
    def on_demand(self) -> bool:
        """Whether `classify` alone gives logits, as with the "transformer" head."""
        return self._head is not None and self._head.on_demand

    def state_specs(self, batch_size: int | None = 1) -> dict[str, tf.TensorSpec]:
        """Returns the specs of the states, in a fixed order.

        Args:
            batch_size: Streams side by side; None leaves it open.
        """
        config = self.model.config
        specs = self._family.state_specs(self.model.backbone, config, batch_size)
        if self._head is None:
            return specs
        return specs | as_stream_states(self._head.state_specs(batch_size))

    def initial_states(self, batch_size: int = 1) -> dict[str, tf.Tensor]:
        """Returns the states of streams that have seen no frame.

        Args:
            batch_size: Streams side by side.
        """
        return {
            name: tf.zeros(spec.shape, spec.dtype)
            for name, spec in self.state_specs(batch_size).items()
        }

    def step(
        self, frames: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Takes in frames.

        Args:
            frames: [batch, time, size, size, 3] in 0..1, the next ones of the stream;
                time must be known, the batch size need not.
            states: As the last step returned them, or `initial_states`.

        Returns:
            (logits [batch, num_classes] after the last frame, new states); logits are
            None if they come `on_demand`.

        Raises:
            ValueError: For frames with another size or type, or states with other
                names.
        """
        size = self.model.config.size
        check_frames(frames, (None, size, size, 3))
        known = self.state_specs(frames.shape[0])
        check_states(states, known)
        x, after = self._family.stream_step(self.model.backbone, frames, states)
        if self._head is None:
            logits = self.model.head(x)
        else:
            z = self.model.project(x)
            # Layers of the backbone lose the shape if the batch size is unknown.
            z.set_shape((None, frames.shape[1], None))
            logits, new = self._head.update(z, head_states(states))
            after |= as_stream_states(new)
        return logits, {name: s for name, s in after.items() if name in known}

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [batch, num_classes] of a stream of at least one frame.

        Args:
            states: The states that `step` returned.

        Raises:
            ValueError: For MoViNet's official head, whose states are not enough to
                classify: `step` gives its logits.
        """
        if self._head is None:
            raise ValueError("The official head gives its logits at each step.")
        return self._head.classify(head_states(states))


def check_causal(config: ModelConfig) -> None:
    """Raises a ValueError if a model cannot be streamed."""
    if not config.backbone.causal:
        raise ValueError(
            f"A base model ({config.backbone.model_id}, causal=False) sees later frames"
            " and cannot be streamed: use a stream model, or classify whole clips, with"
            " export.export_tflite or, on servers, with export.export_saved_model."
        )
    if lasting_rms(config):
        raise ValueError(
            "regularization.rms.distribution"
            f" {config.regularization.rms.distribution} has a mean other than 1, so RMS"
            " also acts at inference, which cannot be streamed: train with a mean of"
            " 1."
        )


def streaming_head(model: tf_keras.Model) -> StreamingHead | None:
    """Returns a model's head; None for the Model Garden's head, which has no states."""
    return None if model.config.backbone_pools_time else model.head


def head_states(states: Mapping[str, _Value]) -> dict[str, _Value]:
    """Returns the states of the head among a stream's states, by the head's names."""
    return {
        name.removeprefix(_HEAD_PREFIX): state
        for name, state in states.items()
        if name.startswith(_HEAD_PREFIX)
    }


def as_stream_states(states: Mapping[str, _Value]) -> dict[str, _Value]:
    """Returns the states of the head by the names that they have in a stream."""
    return {_HEAD_PREFIX + name: state for name, state in states.items()}
