"""The streaming view of a model: a few frames at a time, on the same variables."""

import tensorflow as tf
import tf_keras

from grw_tf.models.backbone import endpoints
from grw_tf.models.input_checks import check_frames, check_states
from grw_tf.models.regularization import lasting_rms

STATE_PREFIX = "state_temporal_head_"


class StreamingModel(tf.Module):
    """Feeds a causal model frame by frame, or in chunks of any sizes.

    Fed a clip, a stream ends with the clip's logits. It has no variables of its own: it
    calls the model's layers, and what they need to remember between calls are its
    states, a dict of tensors that start at zero.

    Args:
      model: a causal model of `build_model`.

    Raises:
      ValueError: if the model is not causal.
    """

    def __init__(self, model):
        super().__init__()
        check_causal(model.config)
        self.model = model
        self._pools = model.config.backbone_pools_time

    def state_specs(self, batch_size=1):
        """Returns the states as a dict of `tf.TensorSpec`s, in a fixed order.

        Args:
          batch_size: number of streams, or None if it is not known.
        """
        specs = self._backbone_specs(batch_size)
        if not self._pools:
            head_specs = self.model.head.state_specs(batch_size)
            specs |= {STATE_PREFIX + name: spec for name, spec in head_specs.items()}
        return specs

    def initial_states(self, batch_size=1):
        """Returns the states of streams that have seen no frame.

        Args:
          batch_size: number of streams.
        """
        return {
            name: tf.zeros(spec.shape, spec.dtype)
            for name, spec in self.state_specs(batch_size).items()
        }

    def step(self, frames, states):
        """Takes in frames.

        Args:
          frames: [batch, time, size, size, 3] in 0..1, the next ones of the stream;
            time must be known, the batch size need not.
          states: as the last step returned them, or `initial_states`.

        Returns:
          (logits [batch, num_classes] after the last frame, new states); logits are
          None for the "transformer" head, which gives them on demand, by `classify`.

        Raises:
          ValueError: for frames of another size or not floating point, or states of
            other names.
        """
        size = self.model.config.size
        check_frames(frames, (None, size, size, 3))
        known = self.state_specs(frames.shape[0])
        check_states(states, known)
        x, states = self._features(frames, states)
        if self._pools:
            logits = self.model.head(x)
        else:
            z = self.model.project(x)
            # Layers of the backbone lose it where the batch size is unknown.
            z.set_shape((None, frames.shape[1], None))
            logits, new = self.model.head.update(z, head_states(states))
            states |= {STATE_PREFIX + name: state for name, state in new.items()}
        return logits, {name: s for name, s in states.items() if name in known}

    def classify(self, states):
        """Returns the logits [batch, num_classes] of a stream of at least one frame.

        Args:
          states: as `step` returned them.

        Raises:
          ValueError: for MoViNet's official head, whose states are not enough to
            classify: `step` gives its logits.
        """
        if self._pools:
            raise ValueError("The official head gives its logits at each step.")
        return self.model.head.classify(head_states(states))

    def _features(self, frames, states):
        """Returns the last features of frames, and the backbone's new states."""
        backbone = self.model.backbone
        if self.model.config.backbone.family != "movinet":
            # It sees each frame by itself.
            return endpoints(backbone, frames)["head"], dict(states)
        x = frames
        for stage in backbone.layers:
            if not isinstance(stage, tf_keras.layers.InputLayer):
                x, states = stage(x, states=states)
        return x, states

    def _backbone_specs(self, batch_size):
        config = self.model.config
        if config.backbone.family != "movinet":
            return {}
        shape = (batch_size, 1, config.size, config.size, 3)
        return {
            name: tf.TensorSpec(spec.shape, self._state_dtype(spec))
            for name, spec in self.model.backbone.initial_state_specs(shape).items()
            # Without pooling over time these are never touched.
            if self._pools or not name.startswith("state_head_pool")
        }

    def _state_dtype(self, spec):
        # Under mixed precision the Model Garden's specs name the variables' type.
        is_floating = tf.as_dtype(spec.dtype).is_floating
        return self.model.backbone.compute_dtype if is_floating else spec.dtype


def check_causal(config):
    """Raises a ValueError if a model cannot be streamed."""
    if not config.backbone.causal:
        raise ValueError(
            f"A base model ({config.backbone.model_id}, causal=False) sees frames to"
            " come and cannot be streamed: use a stream model, or classify whole clips,"
            " on servers by export.export_saved_model."
        )
    if lasting_rms(config):
        raise ValueError(
            "regularization.rms.distribution"
            f" {config.regularization.rms.distribution} has another mean than 1, so RMS"
            " stays in the model at inference, which cannot be streamed: train with a"
            " mean of 1."
        )


def head_states(states):
    """Returns the head's own among a stream's states, by the head's names."""
    return {
        name.removeprefix(STATE_PREFIX): state
        for name, state in states.items()
        if name.startswith(STATE_PREFIX)
    }
