"""Finds the frames of a clip that are not repeated.

A clip that is too short repeats its last frame (`grw_tf.frames.choice`). Nothing moves
there, so smoothing has nothing to learn from it.
"""

import tensorflow as tf


def new_frames(clips: tf.Tensor) -> tf.Tensor:
    """Returns which frames differ from the one before, bool [batch, N].

    The first frame of a clip is always new.

    Args:
        clips: [batch, N, height, width, 3].
    """
    repeated = tf.reduce_all(clips[:, 1:] == clips[:, :-1], axis=(2, 3, 4))
    return tf.concat([tf.ones_like(repeated[:, :1]), ~repeated], axis=1)
