"""Computes a model's probabilities for clips, or for the views of videos."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.data.evaluation_clips import LabelledClip
from grw_tf.evaluation.views import average_views, cut_views
from grw_tf.models import ModelConfig


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """A model's scores [clips, classes], and the labels of the clips.

    Scores are probabilities, or for a model with several labels sigmoids. Labels are
    [clips], or then bool [clips, classes].
    """

    probabilities: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def predict_clips(model: tf_keras.Model, batches: Iterable[tuple]) -> Predictions:
    """Runs a model on batches of clips.

    Batches are tuples of clips [batch, frames, size, size, 3] in 0..1, labels and
    names.

    Raises:
        ValueError: If there is no clip.
    """
    run = _compiled(model)
    probabilities, labels, names = [], [], []
    for clips, of_clips, called in batches:
        probabilities.append(run(tf.constant(clips)).numpy())
        labels.append(of_clips)
        names += called
    _check_some(names)
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

    Raises:
        ValueError: If there is no video.
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
    _check_some(names)
    stacked = np.concatenate(probabilities), np.stack(labels)
    return Predictions(*stacked, tuple(names))


def _compiled(model):
    @tf.function(autograph=False)
    def run(clips):
        return scores_of(tf.cast(model(clips, training=False), tf.float32), model)

    return run


def scores_of(logits: tf.Tensor, model: tf_keras.Model) -> tf.Tensor:
    """Returns the scores of a model's logits, both [..., classes]."""
    if model.config.has_several_labels:
        return tf.math.sigmoid(logits)
    return tf.nn.softmax(logits)


def check_one_label(config: ModelConfig, what: str) -> None:
    """Raises a `ValueError` for a model with several labels a clip.

    Args:
        config: The model's config.
        what: What it cannot be used for, as the start of a sentence.
    """
    if config.has_several_labels:
        raise ValueError(
            f"{what}, and this model's clips have any number of classes"
            " (output_activation sigmoid): use a model with a softmax."
        )


def _check_some(names):
    if not names:
        raise ValueError("There is no clip of the model's classes to evaluate on.")
