"""Chooses and prepares the frames of clips in TensorFlow, for input pipelines."""

import dataclasses

import tensorflow as tf

from grw_tf.frames.choice import middle_start, taken_frames
from grw_tf.frames.geometry import SHORT_SIDE, SQUARE, FrameGeometry, by_area

# Pixels of the squashed frame on which boxes are drawn. Many, since boxes are whole.
_GRID = 8192


def decode_frame(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the frame, uint8 [height, width, 3], of an encoded JPEG or PNG."""
    # TensorFlow's fast default is off by up to 8 levels.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def decoded(frames: tf.Tensor) -> tf.Tensor:
    """Returns frames as uint8 [time, height, width, 3], decoded if they are encoded."""
    if frames.dtype != tf.string:
        return frames
    return tf.map_fn(decode_frame, frames, fn_output_signature=tf.uint8)


def frames_from(
    frames: tf.Tensor, start: tf.Tensor, count: int, stride: tf.Tensor
) -> tf.Tensor:
    """Returns `count` of the frames [time, ...], chosen by `taken_frames`."""
    length = tf.shape(frames)[0]
    return tf.gather(
        frames, taken_frames(length, start, stride, tf.range(count), tf.minimum)
    )


def _spread_frames(frames: tf.Tensor, clips: int, count: int, stride: int) -> tf.Tensor:
    """Returns clips spread evenly over a video, frames [clips * count, ...]."""
    length = tf.shape(frames)[0]
    if clips == 1:
        start = middle_start(length, count, stride, tf.maximum)
        return frames_from(frames, start, count, stride)
    last = tf.maximum(0, length - count * stride)
    starts = tf.cast(tf.linspace(0.0, tf.cast(last, tf.float32), clips), tf.int32)
    return tf.concat(
        [frames_from(frames, starts[clip], count, stride) for clip in range(clips)], 0
    )


def prepare_frames(
    frames: tf.Tensor, geometry: FrameGeometry, crops: int = 1
) -> tf.Tensor:
    """Resizes frames by a geometry and crops squares.

    Args:
        frames: uint8 [time, height, width, 3].
        geometry: Frame geometry of the model.
        crops: 1 for the middle, or 3 for the start, middle and end of the longer side.

    Returns:
        uint8 [crops * time, size, size, 3], all frames of the first square first.
    """
    height, width = tf.shape(frames)[1], tf.shape(frames)[2]
    rows, columns = geometry.resized(height, width, tf.maximum)
    resized = _resize(frames, rows, columns)
    size = geometry.size
    top, left = geometry.start(rows), geometry.start(columns)
    corners = [(top, left)]
    if crops == 3:
        tall = height >= width
        corners = [
            (tf.where(tall, 0, top), tf.where(tall, left, 0)),
            *corners,
            (tf.where(tall, rows - size, top), tf.where(tall, left, columns - size)),
        ]
    squares = [resized[:, y : y + size, x : x + size] for y, x in corners]
    return tf.ensure_shape(tf.concat(squares, 0), (None, size, size, 3))


def view_frames(
    frames: tf.Tensor,
    geometry: FrameGeometry,
    count: int,
    stride: int,
    clips: int = 1,
    crops: int = 1,
) -> tf.Tensor:
    """Cuts clips spread evenly over a video, and squares along its longer side.

    A single clip or square is the middle one. For three squares, the shorter side of
    the frames is resized to the size of the squares, so that they cover the frame. With
    the fit "square", they lie on the squashed frame.

    Args:
        frames: uint8 [time, height, width, 3], or encoded [time], of a whole video.
        geometry: Frame geometry of the model.
        count: Frames of a clip.
        stride: Frames of the video from one frame of a clip to the next.
        clips: Number of clips.
        crops: Number of squares, 1 or 3.

    Returns:
        uint8 [crops * clips * count, size, size, 3]: all clips of the first square,
        then those of the next.
    """
    if crops > 1 and geometry.fit == SHORT_SIDE:
        geometry = dataclasses.replace(geometry, side=geometry.size)
    frames = decoded(_spread_frames(frames, clips, count, stride))
    return prepare_frames(frames, geometry, crops)


def random_crop(
    frames: tf.Tensor,
    geometry: FrameGeometry,
    seed: tf.Tensor,
    aspect_ratios: tuple[float, float],
    areas: tuple[float, float],
) -> tf.Tensor:
    """Crops the same random box from all frames and resizes it to the model's size.

    As in the Model Garden, the box's share of the frame's area and its aspect ratio are
    uniformly distributed. With the fit "square", the box is drawn on the squashed
    frame, so that the middle square of `prepare_frames` is a possible result.

    Args:
        frames: uint8 [time, height, width, 3].
        geometry: Frame geometry of the model.
        seed: Seed of the box, int64 [2].
        aspect_ratios: Smallest and largest width / height of the box, as laid out.
        areas: Smallest and largest share of the area of the frame.

    Returns:
        uint8 [time, size, size, 3].
    """
    shape = tf.shape(frames)[1:3]
    grid = tf.constant([_GRID, _GRID]) if geometry.fit == SQUARE else shape
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.concat([grid, [3]], 0),
        bounding_boxes=tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed=seed,
        min_object_covered=0.1,
        aspect_ratio_range=aspect_ratios,
        area_range=areas,
        max_attempts=100,
        use_image_if_no_bounding_boxes=True,
    )
    begin, size = begin[:2], size[:2]
    if geometry.fit == SQUARE:
        scale = tf.cast(shape, tf.float64) / _GRID
        end = tf.cast(tf.round(tf.cast(begin + size, tf.float64) * scale), tf.int32)
        begin = tf.cast(tf.round(tf.cast(begin, tf.float64) * scale), tf.int32)
        begin = tf.minimum(begin, shape - 1)
        size = tf.maximum(end - begin, 1)
    (top, left), (height, width) = tf.unstack(begin), tf.unstack(size)
    box = frames[:, top : top + height, left : left + width]
    resized = _resize(box, geometry.size, geometry.size)
    return tf.ensure_shape(resized, (None, geometry.size, geometry.size, 3))


def _resize(frames, rows, columns):
    height, width = tf.shape(frames)[1], tf.shape(frames)[2]

    def resize(method):
        pixels = tf.image.resize(frames, (rows, columns), method)
        return tf.cast(tf.round(pixels), tf.uint8)

    return tf.cond(
        by_area(height, width, rows, columns),
        lambda: resize(tf.image.ResizeMethod.AREA),
        lambda: resize(tf.image.ResizeMethod.BILINEAR),
    )
