"""Labeled clips and whole videos to evaluate a model on, in a fixed order."""

import abc
import dataclasses
import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from grw_tf.common.checks import check_positive
from grw_tf.frames.choice import middle_start, nearest_frames
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.frames.tensor_preparation import decode_frame
from grw_tf.models import ModelConfig


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledClip:
    """A clip to evaluate on, or a whole video.

    Attributes:
        frames: uint8 [frames, height, width, 3], RGB.
        label: Index of the class; for a model with several labels, bool [classes].
        name: Source of the clip.
        stride: Frames of a whole video from one to the next at the model's rate.
    """

    frames: np.ndarray
    label: Any
    name: str
    stride: int = 1


class EncodedClip(NamedTuple):
    """A video as stored: a `LabelledClip` whose frames are JPEG or PNG files.

    `labels` are the indices of its classes, and `where` names it in errors.
    """

    frames: list[bytes]
    stride: int
    labels: list[int]
    name: str
    where: str


Times = Callable[[str, np.ndarray], np.ndarray]
"""A function from a clip's name and its frames' times [frames] to other times.

Times are counted in frames of the model's rate, from the clip's first frame on.
"""


class EvaluationClips(abc.ABC):
    """Labeled videos, and the clips of them that a model sees.

    As in `grw_tf.data.videos.clips.read_clip`, the clip is the middle of the video,
    with the last frame repeated if the video is too short. Its frames are prepared by
    the model's `frame_geometry`.

    A model of some of the classes sees the videos of these alone; one with several
    labels a clip sees all videos, with the labels that are among its classes.

    Args:
        where: Name of the videos in errors.
        class_names: Names of the videos' classes.
        config: The model's config.
        progress: Whether to show a progress bar.
        classes: The model's classes, as indices of `class_names`; None for all.

    Attributes:
        class_names: Names of the model's classes.
        recorded_classes: Names of all classes of the videos.
        left_out: Number of videos of no class of the model, in the last pass.

    Raises:
        ValueError: If the model does not have as many classes.
    """

    def __init__(
        self,
        where: str,
        class_names: tuple[str, ...],
        config: ModelConfig,
        progress: bool = True,
        classes: Sequence[int] | None = None,
    ):
        self.recorded_classes = tuple(class_names)
        chosen = range(len(class_names)) if classes is None else classes
        self._places = {index: place for place, index in enumerate(chosen)}
        class_names = tuple(class_names[index] for index in chosen)
        self.class_names = class_names
        self.left_out = 0
        self._config = config
        self._progress = progress
        if len(class_names) != config.num_classes:
            raise ValueError(
                f"{where} has {len(class_names)} classes, and the model"
                f" {config.num_classes}: evaluate on records of the model's own"
                " classes, or another checkpoint."
            )

    def __iter__(self) -> Iterator[LabelledClip]:
        """Yields a clip of each video, as `clips`."""
        return self.clips()

    def clips(
        self, chosen: Container[int] | None = None, times: Times | None = None
    ) -> Iterator[LabelledClip]:
        """Yields a clip [frames, size, size, 3] of each video, in order.

        Args:
            chosen: Indices of the videos to take. By default all.
            times: Other times of frames. The nearest recorded frames are taken.

        Raises:
            ValueError: If a file is truncated, a record holds no clip, or its frame
                rate is not a whole multiple of the model's.
            OSError: If a file cannot be read.
        """
        length, geometry = self._config.frames, self._config.frame_geometry
        for clip in self._encoded(chosen):
            count, stride = len(clip.frames), clip.stride
            start = middle_start(count, length, stride)
            at = np.arange(length)
            if times:
                at = times(clip.name, at)
            taken = nearest_frames(count, start, stride, at).tolist()
            frames = {
                index: prepare_frame(_decode(clip.frames[index], clip.where), geometry)
                for index in set(taken)
            }
            yield LabelledClip(
                np.stack([frames[i] for i in taken]), self._label(clip), clip.name
            )

    def videos(self) -> Iterator[LabelledClip]:
        """Yields all recorded frames of each video, in their own size.

        Raises:
            ValueError: As `clips`, or if frames of a video differ in size.
            OSError: As `clips`.
        """
        for clip in self._encoded():
            frames = [_decode(encoded, clip.where) for encoded in clip.frames]
            sizes = sorted({frame.shape[:2] for frame in frames})
            if len(sizes) > 1:
                raise ValueError(
                    f"{clip.where} has frames of several sizes, {sizes[0]} and"
                    f" {sizes[-1]}: make it again by grw-prepare."
                )
            yield LabelledClip(
                np.stack(frames), self._label(clip), clip.name, clip.stride
            )

    def batches(
        self,
        batch_size: int,
        chosen: Container[int] | None = None,
        times: Times | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        """Yields clips [batch, frames, size, size, 3] in 0..1, labels [batch], names.

        For a model with several labels, labels are bool [batch, classes]. `chosen`,
        `times` and errors are those of `clips`. The last batch may be smaller.
        """
        check_positive(batch_size=batch_size)
        clips = self.clips(chosen, times)
        while batch := list(itertools.islice(clips, batch_size)):
            yield _batch(batch)

    def _encoded(self, chosen=None) -> Iterator[EncodedClip]:
        self.left_out = 0
        several = self._config.has_several_labels
        for index, record in enumerate(self._records()):
            if chosen is None or index in chosen:
                clip = self._parse(*record)
                self._check_labels(clip)
                if several or clip.labels[0] in self._places:
                    yield clip
                else:
                    self.left_out += 1

    def _check_labels(self, clip):
        several = self._config.has_several_labels
        inside = all(0 <= label < len(self.recorded_classes) for label in clip.labels)
        if not clip.frames or not inside or (len(clip.labels) != 1 and not several):
            number = "labels" if several else "one label"
            raise ValueError(
                f"{clip.where} has {len(clip.frames)} frames and labels"
                f" {list(clip.labels)}: expected frames and {number} from 0 to"
                f" {len(self.recorded_classes) - 1}."
            )

    def _label(self, clip):
        if not self._config.has_several_labels:
            return self._places[clip.labels[0]]
        labels = np.zeros(len(self.class_names), bool)
        labels[[self._places[i] for i in clip.labels if i in self._places]] = True
        return labels

    @abc.abstractmethod
    def _records(self) -> Iterator[tuple[bytes, str]]:
        """Yields all records with their names in errors, and shows the progress."""

    @abc.abstractmethod
    def _parse(self, record: bytes, where: str) -> EncodedClip:
        """Returns the video of a record."""


def _decode(encoded, where):
    try:
        return decode_frame(encoded).numpy()
    except tf.errors.InvalidArgumentError:
        raise ValueError(
            f"{where} has a frame that is not a JPEG: make it again."
        ) from None


def _batch(clips):
    frames = np.stack([clip.frames for clip in clips]).astype(np.float32) / 255
    labels = np.stack([clip.label for clip in clips])
    return frames, labels, [clip.name for clip in clips]
