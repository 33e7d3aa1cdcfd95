"""Measures a causal model's predictions while it receives a clip frame by frame."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from grw_tf.common.text_table import text_table
from grw_tf.evaluation.measures import check_labels
from grw_tf.models import StreamingModel

_SHOWN_FRAMES = 12


@dataclasses.dataclass(frozen=True, eq=False)
class StreamedClips:
    """A model's logits [clips, frames, classes] after each frame of labeled clips.

    The labels are [clips], or for a model with several labels bool [clips, classes].
    """

    logits: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class StreamingMeasures:
    """How accurate and how steady predictions are while clips arrive.

    Attributes:
        accuracy: [frames], the share of clips that are predicted correctly after each
            frame.
        label_changes_per_second: Mean number of changes of the likeliest class in a
            second.
        probability_change: Sum over classes of |p_t - p_(t-1)|, mean over consecutive
            frames and clips: twice the total variation, from 0 (constant) to 2.
        seconds_to_settle: [clips], the time of the frame from which on the likeliest
            class is the label until the clip ends; NaN if it is not the label at the
            end.
        fps: Frames per second.
    """

    accuracy: np.ndarray
    label_changes_per_second: float
    probability_change: float
    seconds_to_settle: np.ndarray
    fps: float

    def table(self) -> str:
        """Returns the measures as text, with at most 12 frames of the curve."""
        curve = [("frames seen", "seconds", "top-1")]
        curve += [
            (f"{frame + 1}", f"{frame / self.fps:.2f}", f"{self.accuracy[frame]:.3f}")
            for frame in shown_frames(len(self.accuracy))
        ]
        settled = self._median_seconds_to_settle()
        flicker = (
            ("label changes a second", f"{self.label_changes_per_second:6.3f}"),
            ("probability change a frame", f"{self.probability_change:6.3f}"),
            ("median seconds to settle", "-" if settled is None else f"{settled:6.3f}"),
        )
        return f"{text_table(curve, '>')}\n\n{text_table(flicker)}"

    def to_dict(self) -> dict:
        """Returns the measures in types that JSON has.

        The time to settle is the median over the clips that settle, None without any.
        """
        return {
            "accuracy_after_each_frame": self.accuracy.tolist(),
            "label_changes_per_second": self.label_changes_per_second,
            "probability_change": self.probability_change,
            "median_seconds_to_settle": self._median_seconds_to_settle(),
        }

    def _median_seconds_to_settle(self):
        settled = self.seconds_to_settle[~np.isnan(self.seconds_to_settle)]
        return float(np.median(settled)) if settled.size else None


def shown_frames(count: int) -> list[int]:
    """Returns the frames that a table shows, evenly spread over `count` of them."""
    shown = np.linspace(0, count - 1, min(count, _SHOWN_FRAMES))
    return shown.round().astype(int).tolist()


def stream_clips(model: tf_keras.Model, batches: Iterable[tuple]) -> StreamedClips:
    """Feeds clips to a causal model one frame at a time.

    Batches are tuples of clips [batch, frames, size, size, 3] in 0..1, labels [batch],
    or bool [batch, classes] for a model with several labels, and names. All clips need
    the same number of frames.

    Raises:
        ValueError: If the model is not causal, if there is no clip, or if clips, labels
            or names do not fit the model or each other.
    """
    stream = StreamingModel(model)

    @tf.function
    def step(frame, states):
        logits, states = stream.step(frame, states)
        return stream.classify(states) if logits is None else logits, states

    all_logits: list[np.ndarray] = []
    all_labels, all_names = [], []
    for clips, labels, names in batches:
        clips, labels = tf.convert_to_tensor(clips), np.asarray(labels)
        _check_batch(clips, labels, names, all_logits)
        if not model.config.has_several_labels:
            check_labels(labels, model.config.num_classes)
        states = stream.initial_states(len(clips))
        logits = []
        for index in range(clips.shape[1]):
            after, states = step(clips[:, index : index + 1], states)
            logits.append(tf.cast(after, tf.float32).numpy())
        all_logits.append(np.stack(logits, axis=1))
        all_labels.append(labels)
        all_names.extend(names)
    if not all_logits:
        raise ValueError("There is no clip to stream.")
    return StreamedClips(
        np.concatenate(all_logits), np.concatenate(all_labels), tuple(all_names)
    )


def measure_streams(
    logits: npt.ArrayLike, labels: npt.ArrayLike, fps: float
) -> StreamingMeasures:
    """Measures logits [clips, frames, classes] of at least two frames per clip.

    Raises:
        ValueError: If shapes or labels do not fit, or there are too few frames.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 3 or labels.shape != logits.shape[:1] or not labels.size:
        raise ValueError(
            "Expected logits [clips, frames, classes] and labels [clips] of at least"
            f" one clip, got {logits.shape} and {labels.shape}."
        )
    frames = logits.shape[1]
    if frames < 2:
        raise ValueError(f"Changes need clips of at least 2 frames, got {frames}.")
    if not np.isfinite(logits).all():
        raise ValueError("Some logits are NaN or infinite: the model is broken.")
    check_labels(labels, logits.shape[2])
    predicted = logits.argmax(axis=2)
    correct = predicted == labels[:, None]
    changes = np.diff(predicted, axis=1) != 0
    probabilities = tf.nn.softmax(logits, axis=-1).numpy()
    moves = np.abs(np.diff(probabilities, axis=1)).sum(axis=2)
    return StreamingMeasures(
        accuracy=correct.mean(axis=0),
        label_changes_per_second=float(changes.mean() * fps),
        probability_change=float(moves.mean()),
        seconds_to_settle=_seconds_to_settle(correct, fps),
        fps=fps,
    )


def _check_batch(clips, labels, names, earlier):
    count = len(labels) if labels.ndim else 1
    if clips.shape.rank != 5 or not (0 < len(names) == len(clips) == count):
        raise ValueError(
            "A batch must be clips [batch, frames, height, width, 3] with a label and a"
            f" name for each, got {tuple(clips.shape)}, {count} labels and"
            f" {len(names)} names."
        )
    expected = earlier[0].shape[1] if earlier else max(1, clips.shape[1])
    if clips.shape[1] != expected:
        raise ValueError(
            f"All clips need the same frames: got {clips.shape[1]} after {expected}."
        )


def _seconds_to_settle(correct, fps):
    to_the_end = np.logical_and.accumulate(correct[:, ::-1], axis=1)[:, ::-1]
    return np.where(to_the_end[:, -1], to_the_end.argmax(axis=1) / fps, np.nan)
