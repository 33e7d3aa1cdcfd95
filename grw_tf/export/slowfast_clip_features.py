"""Features of a whole clip by a SlowFast, rewritten for devices."""

import tensorflow as tf
import tf_keras

from grw_tf.export.clip_convolution import ClipConvolution
from grw_tf.export.clip_residual_blocks import ClipStem, clip_blocks
from grw_tf.export.frame_offsets import every
from grw_tf.models.residual_block_3d import STAGES
from grw_tf.models.slowfast_backbone import FAST, SLOW, SPECS


class SlowFastClipFeatures:
    """Features of all frames of a clip by a SlowFast.

    Args:
        model: A SlowFast of `build_model`.
        frames: Number of frames of a clip; any number that the model takes will do.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(self, model: tf_keras.Model, frames: int, unit: float) -> None:
        del frames
        config, layer = model.config.backbone, model.backbone.get_layer
        self._spec = SPECS[config.model_id]
        self._stems = {
            path: ClipStem(
                config, layer(f"{path}_stem"), layer(f"{path}_stem_norm"), unit
            )
            for path in (SLOW, FAST)
        }
        self._conventions = config.conventions
        normed = self._conventions.normalizes_laterals
        self._lateral = [
            ClipConvolution(
                layer(f"{name}_lateral"),
                layer(f"{name}_lateral_norm") if normed else None,
                frames_before=self._spec.lateral_kernel // 2,
            )
            for name in ("pool1", *STAGES[:-1])
        ]
        self._blocks = clip_blocks(model.backbone, config)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3]."""
        x = {
            SLOW: self._stems[SLOW](self._slow_frames(image)),
            FAST: self._stems[FAST](image),
        }
        for stage, lateral in zip(STAGES, self._lateral, strict=True):
            fused = lateral(x[FAST])
            if self._conventions.normalizes_laterals:
                fused = tf.nn.relu(fused)
            x[SLOW] = tf.concat([x[SLOW], fused], -1)
            for path in (SLOW, FAST):
                for name, block in self._blocks.items():
                    if name.startswith(f"{path}_{stage}_"):
                        x[path] = block(x[path])
        slow, fast = (
            tf.reduce_mean(x[path], (1, 2), keepdims=True) for path in (SLOW, FAST)
        )
        # Time takes the place of the height, to be interpolated.
        rows = tf.reshape(slow, (1, slow.shape[0], 1, slow.shape[-1]))
        rows = tf.image.resize(rows, (fast.shape[0], 1))
        slow = tf.reshape(rows, (fast.shape[0], 1, 1, slow.shape[-1]))
        return tf.concat([slow, fast], -1)

    def _slow_frames(self, image):
        if not self._conventions.slow_frames_span_clip:
            return every(image, self._spec.alpha)
        seen = self._conventions.slow_frames(image.shape[0], self._spec.alpha)
        return tf.concat([image[frame : frame + 1] for frame in seen], 0)
