"""Names labeled clips: records, or a split of a TFDS data set."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any

from grw_tf.data.evaluation_clips import EvaluationClips
from grw_tf.data.evaluation_tfds import EvaluationTfds
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.records.sequence_examples import check_records
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.models import ModelConfig


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Labeled clips, named by keys of a data config.

    Attributes:
        input_path: Records, as for `check_records`. Empty for a TFDS split.
        tfds_name: Data set, as for `TfdsSource`, like `tfds_split` and `tfds_data_dir`.
        temporal_stride: Frames of the split from one to the next at the model's rate.
    """

    input_path: str = ""
    tfds_name: str = ""
    tfds_split: str = ""
    tfds_data_dir: str = ""
    temporal_stride: int = 1

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "ClipSet":
        """Returns the clips that a data config, as a mapping, names."""
        return cls(
            **{field.name: data[field.name] for field in dataclasses.fields(cls)}
        )

    def __bool__(self) -> bool:
        return bool(self.input_path or self.tfds_name)

    def __str__(self) -> str:
        return self.input_path or f"{self.tfds_name}, split {self.tfds_split}"

    def open(self, config: ModelConfig, progress: bool = True) -> EvaluationClips:
        """Opens the clips to evaluate a model on.

        Raises:
            ValueError: If the clips do not exist or fit the model.
            OSError: If a file cannot be read.
        """
        if self.input_path:
            return EvaluationRecords(self.input_path, config, progress)
        return EvaluationTfds(self._tfds_source, config, self.temporal_stride, progress)

    @property
    def count(self) -> int:
        """Number of clips."""
        source = (
            RecordSource(self.input_path, several_labels=True)
            if self.input_path
            else self._tfds_source
        )
        return sum(file.count for file in source.files)

    def sizes(self) -> dict[str, int]:
        """Returns the bytes of each local file, by path."""
        paths = sorted({path for path, _, _ in self._spans()})
        return {path: os.stat(path).st_size for path in paths if "://" not in path}

    def overlaps(self, other: "ClipSet") -> bool:
        """Returns whether both share a record."""
        return any(
            path == theirs and start < their_end and their_start < end
            for path, start, end in self._spans()
            for theirs, their_start, their_end in other._spans()
        )

    def _spans(self):
        """Returns the path, first record and end of the records in each file."""
        if self.input_path:
            paths = check_records(self.input_path, several_labels=True)
            return [(path, 0, float("inf")) for path in paths]
        return [
            (file.path, file.skip, file.skip + file.count)
            for file in self._tfds_source.files
        ]

    @property
    def _tfds_source(self):
        return _open(self.tfds_name, self.tfds_split, self.tfds_data_dir)


@functools.cache
def _open(name, split, data_dir):
    # Which number of labels a model takes is checked clip by clip.
    return TfdsSource(name, split, data_dir or None, several_labels=True)
