"""Several views of one video, and the mean of what a model says of them."""

import numpy as np
import tensorflow as tf
from official.vision.dataloaders import video_input

from grw_tf.data.clips import resize_side


def cut_views(video, frames, size, clips=1, crops=1, stride=1, short_side=None):
    """Cuts clips spread evenly over a video, and squares along its longer side.

    By the Model Garden's own `video_input.process_image`, so one clip is the middle one
    and the frames of a video that is too short start over. A single square is the
    centre. Of three, at the start, middle and end of the longer side, the Model Garden
    takes the start of the shorter side; by default there is nothing else to take.

    Args:
      video: uint8 [frames, height, width, 3] of a whole video.
      frames: of a clip.
      size: height and width of a square, in pixels.
      clips: number of clips.
      crops: number of squares, 1 or 3.
      stride: frames of the video from one of a clip to the next.
      short_side: pixels to which the shorter of height and width is resized first. By
        default `resize_side(size)` for one square, and `size` for three.

    Returns:
      A tensor [crops * clips, frames, size, size, 3] in 0..1: all clips of the first
      square, then those of the next.

    Raises:
      ValueError: if the video is of another shape or type, or a number makes no sense.
    """
    if video.ndim != 4 or video.dtype != np.uint8 or not len(video):
        raise ValueError(
            "A video must be uint8 [frames, height, width, 3], got"
            f" {video.dtype.name} {tuple(video.shape)}."
        )
    if crops not in (1, 3):
        raise ValueError(f"crops must be 1 or 3, got {crops}.")
    if short_side is None:
        short_side = resize_side(size) if crops == 1 else size
    numbers = {"frames": frames, "size": size, "clips": clips, "stride": stride}
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}.")
    if short_side < size:
        raise ValueError(
            f"short_side must be at least size, got {short_side} and {size}."
        )
    views = video_input.process_image(
        tf.convert_to_tensor(video),
        is_training=False,
        num_frames=frames,
        stride=stride,
        num_test_clips=clips,
        min_resize=short_side,
        crop_size=size,
        num_crops=crops,
    )
    return tf.reshape(views, (crops * clips, frames, size, size, 3))


def average_views(probabilities, views):
    """Returns the mean probabilities [clips, classes] over the views of each clip.

    Of probabilities, not logits, as the Model Garden's `video_classification` task.

    Args:
      probabilities: [clips * views, classes], those of a clip one after the other.
      views: number of views of a clip.

    Raises:
      ValueError: if they are not so many views.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or views < 1 or len(probabilities) % views:
        raise ValueError(
            f"Expected probabilities [clips * {views}, classes], got"
            f" {probabilities.shape}."
        )
    classes = probabilities.shape[1]
    return probabilities.reshape(-1, views, classes).mean(axis=1)
