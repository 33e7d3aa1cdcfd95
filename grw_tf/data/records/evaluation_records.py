"""Reads clips and whole videos of records for evaluation."""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm
from google.protobuf.message import DecodeError

from grw_tf.common.checks import check_positive
from grw_tf.common.error_text import one_line
from grw_tf.common.labels_file import LABELS_FILE, read_labels
from grw_tf.data.records.sequence_examples import (
    FRAME_RATE,
    FRAMES,
    LABEL_INDEX,
    SOURCE,
    check_records,
    frame_stride,
)
from grw_tf.frames.choice import middle_start, taken_frames
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.frames.tensor_preparation import decode_frame

# Length and checksums of a record in a TFRecord file.
_FRAMING_BYTES = 16


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledClip:
    """A clip to evaluate on, or a whole video.

    Attributes:
        frames: uint8 [frames, height, width, 3], RGB.
        label: Index of the class.
        name: Source of the clip.
        stride: Frames from one to the next at the frame rate of the model.
    """

    frames: np.ndarray
    label: int
    name: str
    stride: int = 1


class EvaluationRecords:
    """The videos of records made by `scripts.prepare_videos`, prepared for a model.

    The clips are those that `grw_tf.data.videos.clips.read_clip` cuts from videos: the
    middle of each video, with its last frame repeated if the video is too short. Frames
    are prepared as the model's `frame_geometry` says.

    Args:
        pattern: Paths separated by commas. They may have wildcards.
        config: `ModelConfig` of the model.
        progress: Whether to show a progress bar.

    Attributes:
        class_names: Names of the classes.

    Raises:
        ValueError: As `check_records`, or if the number of classes is not the model's,
            or the classes differ between folders.
        OSError: If a file cannot be read.
    """

    def __init__(self, pattern: str, config: Any, progress: bool = True):
        self._paths = check_records(pattern)
        self._config = config
        self._progress = progress
        folders = sorted({os.path.dirname(path) for path in self._paths})
        names = [read_labels(os.path.join(folder, LABELS_FILE)) for folder in folders]
        self.class_names = names[0]
        for folder, others in zip(folders, names, strict=True):
            if others != self.class_names:
                raise ValueError(
                    f"{folders[0]} and {folder} have different classes in"
                    f" {LABELS_FILE}: evaluate on one of them at a time."
                )
        if len(self.class_names) != config.num_classes:
            raise ValueError(
                f"{pattern} has {len(self.class_names)} classes, and the model"
                f" {config.num_classes}: evaluate on records of the model's own"
                " classes, or another checkpoint."
            )

    def __iter__(self) -> Iterator[LabelledClip]:
        """Yields a clip of each video in the order of the files, with a progress bar.

        Its frames are [frames, size, size, 3].

        Raises:
            ValueError: If a file is truncated, a record holds no clip, or its frame
                rate is not a whole multiple of the model's.
            OSError: If a file cannot be read.
        """
        length, geometry = self._config.frames, self._config.frame_geometry
        for jpegs, stride, label, name, where in self._labelled():
            start = middle_start(len(jpegs), length, stride)
            taken = taken_frames(len(jpegs), start, stride, np.arange(length)).tolist()
            frames = {
                index: prepare_frame(_decode(jpegs[index], where), geometry)
                for index in set(taken)
            }
            yield LabelledClip(np.stack([frames[i] for i in taken]), label, name)

    def videos(self) -> Iterator[LabelledClip]:
        """Yields all recorded frames of each video, in their recorded size.

        Order, progress bar and errors are those of `__iter__`.

        Raises:
            ValueError: If the frames of a video differ in size.
        """
        for jpegs, stride, label, name, where in self._labelled():
            frames = [_decode(jpeg, where) for jpeg in jpegs]
            sizes = sorted({frame.shape[:2] for frame in frames})
            if len(sizes) > 1:
                raise ValueError(
                    f"{where} has frames of several sizes, {sizes[0]} and {sizes[-1]}:"
                    " make it again by scripts.prepare_videos."
                )
            yield LabelledClip(np.stack(frames), label, name, stride)

    def batches(
        self, batch_size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        """Yields clips [batch, frames, size, size, 3] in 0..1, labels [batch], names.

        Args:
            batch_size: Clips per batch. The last batch may have fewer.

        Raises:
            ValueError: As `__iter__`, or if `batch_size` is not positive.
            OSError: As `__iter__`.
        """
        check_positive(batch_size=batch_size)
        waiting = []
        for clip in self:
            waiting.append(clip)
            if len(waiting) == batch_size:
                yield _batch(waiting)
                waiting = []
        if waiting:
            yield _batch(waiting)

    def _labelled(self):
        size = sum(tf.io.gfile.stat(path).length for path in self._paths)
        with tqdm.tqdm(
            desc="Evaluating",
            total=size,
            unit="B",
            unit_scale=True,
            disable=not self._progress,
        ) as progress:
            for path in self._paths:
                for number, record in enumerate(_read(path)):
                    yield self._parse(record, f"{path}, record {number}")
                    progress.update(len(record) + _FRAMING_BYTES)

    def _parse(self, record, where):
        """Returns JPEGs, stride, label, name, and the name of the record in errors."""
        try:
            example = tf.train.SequenceExample.FromString(record)
        except DecodeError:
            raise ValueError(f"{where} is no SequenceExample: make it again.") from None
        context = example.context.feature
        labels = context[LABEL_INDEX].int64_list.value
        jpegs = example.feature_lists.feature_list[FRAMES].feature
        if len(labels) != 1 or not 0 <= labels[0] < len(self.class_names) or not jpegs:
            raise ValueError(
                f"{where} has {len(jpegs)} frames and labels {list(labels)}: expected"
                f" frames and one label from 0 to {len(self.class_names) - 1}."
            )
        rates = context[FRAME_RATE].float_list.value
        stride = frame_stride(rates[0] if rates else 0.0, self._config.fps, where)
        source = context[SOURCE].bytes_list.value
        name = source[0].decode(errors="surrogateescape") if source else where
        return jpegs, stride, labels[0], name, where


def _read(path):
    try:
        yield from tf.data.TFRecordDataset(path).as_numpy_iterator()
    except tf.errors.DataLossError:
        raise ValueError(f"{path} is truncated: copy or make it again.") from None
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {one_line(error)}") from None


def _decode(jpeg, where):
    try:
        return decode_frame(jpeg.bytes_list.value[0]).numpy()
    except (IndexError, tf.errors.InvalidArgumentError):
        raise ValueError(
            f"{where} has a frame that is no JPEG: make it again."
        ) from None


def _batch(clips):
    frames = np.stack([clip.frames for clip in clips]).astype(np.float32) / 255
    labels = np.array([clip.label for clip in clips], np.int64)
    return frames, labels, [clip.name for clip in clips]
