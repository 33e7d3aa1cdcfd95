"""Cuts several views of a video, and averages their probabilities."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from grw_tf.frames import tensor_preparation
from grw_tf.frames.geometry import FrameGeometry


def cut_views(
    video: np.ndarray,
    frames: int,
    geometry: FrameGeometry,
    clips: int = 1,
    crops: int = 1,
    stride: int = 1,
) -> tf.Tensor:
    """Cuts the views of a video that a model is evaluated on.

    The trainer validates on the same views, which `tensor_preparation.view_frames`
    cuts.

    Args:
        video: uint8 [frames, height, width, 3], a whole video.
        frames: Number of frames in a clip.
        geometry: The model's frame geometry.
        clips: Number of clips over the video's time.
        crops: Number of squares along the longer side, 1 or 3.
        stride: Step between a clip's frames, in frames of the video.

    Returns:
        [crops * clips, frames, size, size, 3] in 0..1: all clips of the first square,
        then those of the next.

    Raises:
        ValueError: If the video has another shape or type, or a number is out of range.
    """
    if video.ndim != 4 or video.dtype != np.uint8 or not len(video):
        raise ValueError(
            "A video must be uint8 [frames, height, width, 3], got"
            f" {video.dtype.name} {tuple(video.shape)}."
        )
    if crops not in (1, 3):
        raise ValueError(f"crops must be 1 or 3, got {crops}.")
    for name, number in (("frames", frames), ("clips", clips), ("stride", stride)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}.")
    views = tensor_preparation.view_frames(
        tf.convert_to_tensor(video), geometry, frames, stride, clips, crops
    )
    views = tf.reshape(views, (crops * clips, frames, geometry.size, geometry.size, 3))
    return tf.cast(views, tf.float32) / 255


def average_views(probabilities: npt.ArrayLike, views: int) -> np.ndarray:
    """Returns the mean probabilities [clips, classes] of [clips * views, classes].

    It averages probabilities, not logits, as the Model Garden's `video_classification`
    task does. The views of a clip are in sequence.

    Raises:
        ValueError: If the number of rows is not a multiple of `views`.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or views < 1 or len(probabilities) % views:
        raise ValueError(
            f"Expected probabilities [clips * {views}, classes], got"
            f" {probabilities.shape}."
        )
    classes = probabilities.shape[1]
    return probabilities.reshape(-1, views, classes).mean(axis=1)
