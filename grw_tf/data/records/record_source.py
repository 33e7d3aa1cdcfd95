"""Reads clips for training from records of this project."""

import functools
import os
from collections.abc import Callable

import tensorflow as tf
from official.vision.dataloaders import video_input

from grw_tf.common.labels_file import LABELS_FILE, read_labels
from grw_tf.data.records.record_stream import RecordFile
from grw_tf.data.records.sequence_examples import (
    SOURCE,
    check_records,
    frame_stride,
    listed_shards,
    read_frame_rate,
)


class RecordSource:
    """Records made by `grw-prepare`.

    Args:
        pattern: Paths separated by commas. They may have wildcards.
        several_labels: Whether clips may have any number of labels, rather than one.

    Attributes:
        paths: The files, sorted.
        where: Name of the source in errors.
        class_names: Names of the classes.

    Raises:
        ValueError: As `check_records`, or if folders have different classes.
        OSError: If a file cannot be read.
    """

    def __init__(self, pattern: str, several_labels: bool = False):
        self.paths = check_records(pattern, several_labels)
        files = [
            os.path.join(folder, LABELS_FILE)
            for folder in sorted({os.path.dirname(path) for path in self.paths})
        ]
        self.where = files[0]
        self.class_names = read_labels(self.where)
        for file in files[1:]:
            if read_labels(file) != self.class_names:
                raise ValueError(
                    f"{self.where} and {file} have different classes: make their"
                    " records together, or with the same --labels."
                )

    @functools.cached_property
    def files(self) -> tuple[RecordFile, ...]:
        """The files. If a manifest does not list one, its records are counted."""
        counts = {}
        for folder in {os.path.dirname(path) for path in self.paths}:
            for shard in listed_shards(folder):
                counts[os.path.join(folder, shard["file"])] = shard["clips"]
        return tuple(
            RecordFile(path, counts[path] if path in counts else _count(path))
            for path in self.paths
        )

    @functools.cached_property
    def _frame_rates(self):
        return {path: read_frame_rate(path) for path in self.paths}

    def stride(self, fps: float) -> int:
        """Returns the stride at which a model of `fps` frames per second takes frames.

        Raises:
            ValueError: If the rate of a file is not a whole multiple, or files differ.
        """
        strides = {
            path: frame_stride(rate, fps, path)
            for path, rate in self._frame_rates.items()
        }
        if len(set(strides.values())) > 1:
            one, other = (
                next(path for path, stride in strides.items() if stride == wanted)
                for wanted in sorted(set(strides.values()))[:2]
            )
            raise ValueError(
                f"{one} and {other} have different frames a second: make the records"
                f" of both by grw-prepare --fps={fps:g}."
            )
        return next(iter(strides.values()))

    def decoder(self, image_key: str, label_key: str) -> Callable:
        """Returns a function from a record to a dict of JPEGs and labels."""
        return video_input.Decoder(image_key, label_key).decode


def record_name(record: bytes) -> str | None:
    """Returns the source of the clip of a record, or None if it has none."""
    # An Example parses as the context of a SequenceExample.
    context = tf.train.SequenceExample.FromString(record).context.feature
    for key in (SOURCE, "source", "filename"):
        if key in context and context[key].bytes_list.value:
            return context[key].bytes_list.value[0].decode(errors="backslashreplace")
    return None


def _count(path):
    try:
        return int(tf.data.TFRecordDataset(path).reduce(0, lambda count, _: count + 1))
    except tf.errors.DataLossError:
        raise ValueError(f"{path} is truncated: copy or make it again.") from None
