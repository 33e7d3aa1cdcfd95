"""Features of a whole clip by a base MoViNet, rewritten for devices."""

import tensorflow as tf

from grw_tf.export.frame_offsets import at_offset, offsets
from grw_tf.export.movinet_features import MovinetFeatures
from grw_tf.export.stream_states import StreamStates


class MovinetClipFeatures(MovinetFeatures):
    """Features of all frames of a clip by a MoViNet that sees later frames too.

    It is `MovinetFeatures`, with the clip as its only step: no states, kernels centered
    in time, and means over all frames.

    Args:
        model: A MoViNet of `build_model` that is not causal.
        frames_per_step: Number of frames of a clip.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __call__(
        self, image: tf.Tensor, states: StreamStates | None = None
    ) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3].

        If the model pools over time, they are the mean [1, 1, 1, channels].
        """
        return super().__call__(image, states or StreamStates())

    def _count_frames(self, states):
        """Counts nothing: a clip starts at its first frame."""

    def _tap_of_now(self, count):
        return count // 2

    def _sum_over_time(self, taps, states, name):
        # The taps are of the last frame of the kernel first.
        shifted = [
            at_offset(tap, offset)
            for tap, offset in zip(taps, offsets(len(taps))[::-1], strict=True)
        ]
        return sum(shifted[1:], shifted[0])

    def _running_mean(self, x, states, name):
        """Returns the mean over the clip, as often as the gate needs it."""
        count, _, _, channels = x.shape
        # XNNPACK takes means over height and width.
        x = tf.reshape(x, (1, count, 1, channels))
        mean = tf.reduce_mean(x, (1, 2), keepdims=True)
        if self._config.se_type == "2plus3d":
            # Concatenated with those of each frame.
            mean = mean * tf.ones((count, 1, 1, 1))
        return mean
