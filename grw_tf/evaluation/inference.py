"""Computes a model's probabilities for clips, or for the views of videos."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.data.evaluation_clips import LabelledClip
from grw_tf.evaluation.views import average_views, cut_views


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """A model's probabilities [clips, classes] for labeled clips."""

    probabilities: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def predict_clips(model: tf_keras.Model, batches: Iterable[tuple]) -> Predictions:
    """Runs a model on batches of clips.

    Batches are tuples of clips [batch, frames, size, size, 3] in 0..1, labels [batch]
    and names.
    """
    run = _compiled(model)
    probabilities, labels, names = [], [], []
    for clips, of_clips, called in batches:
        probabilities.append(run(tf.constant(clips)).numpy())
        labels.append(of_clips)
        names += called
    stacked = np.concatenate(probabilities), np.concatenate(labels)
    return Predictions(*stacked, tuple(names))


def predict_views(
    model: tf_keras.Model,
    videos: Iterable[LabelledClip],
    clips: int,
    crops: int,
    batch_size: int,
) -> Predictions:
    """Runs a model on each video's views (`cut_views`), and averages probabilities.

    Videos have frames of their original size. One video and its views are in memory at
    a time; batches are of views of one video.
    """
    run = _compiled(model)
    frames, geometry = model.config.frames, model.config.frame_geometry
    probabilities, labels, names = [], [], []
    for video in videos:
        views = cut_views(video.frames, frames, geometry, clips, crops, video.stride)
        of_views = [
            run(views[start : start + batch_size]).numpy()
            for start in range(0, len(views), batch_size)
        ]
        probabilities.append(average_views(np.concatenate(of_views), len(views)))
        labels.append(video.label)
        names.append(video.name)
    stacked = np.concatenate(probabilities), np.array(labels, np.int64)
    return Predictions(*stacked, tuple(names))


def _compiled(model):
    @tf.function(autograph=False)
    def run(clips):
        return tf.nn.softmax(tf.cast(model(clips, training=False), tf.float32))

    return run
