"""Whether an exported file gives, frame by frame, the model's numbers."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from grw_tf.streaming import StreamSession


@dataclasses.dataclass(frozen=True)
class StreamCheck:
    """How an exported file compares with its model.

    Attributes:
      largest_difference: between logits, of the stream and of the model's clip view.
      scale: largest absolute logit.
      milliseconds: median time of a frame, in the interpreter, on one thread.
    """

    largest_difference: float
    scale: float
    milliseconds: float


def check_stream(path, model, videos) -> StreamCheck:
    """Feeds videos to an exported file frame by frame, and whole to the model.

    Args:
      path: a file of `write_streaming_tflite`.
      model: the model it was written from.
      videos: uint8 [videos, N, size, size, 3].
    """
    session = StreamSession(path)
    differences, scales, times = [], [], []
    for video in videos:
        session.reset()
        for frame in video:
            start = time.perf_counter()
            session.push(frame)
            times.append(time.perf_counter() - start)
        expected = model(tf.constant(video[None], tf.float32) / 255)[0].numpy()
        differences.append(np.abs(session.logits() - expected).max())
        scales.append(np.abs(expected).max())
    return StreamCheck(
        largest_difference=float(max(differences)),
        scale=float(max(scales)),
        milliseconds=float(np.median(times) * 1e3),
    )
