"""Which labeled clips: records, or a split of a TFDS data set."""

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
    """Labeled clips by the keys of a training's data config.

    Attributes:
        input_path: Records, as `check_records` takes them; empty for a TFDS split.
        tfds_name, tfds_split, tfds_data_dir: The split, and where it is.
        temporal_stride: Frames from one to the next that a model takes of the split.
    """

    input_path: str = ""
    tfds_name: str = ""
    tfds_split: str = ""
    tfds_data_dir: str = ""
    temporal_stride: int = 1

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "ClipSet":
        """Returns the clips that a data config names, a mapping of its keys."""
        fields = dataclasses.fields(cls)
        return cls(**{field.name: data[field.name] for field in fields})

    def __bool__(self) -> bool:
        return bool(self.input_path or self.tfds_name)

    def __str__(self) -> str:
        return self.input_path or f"{self.tfds_name}, split {self.tfds_split}"

    def open(self, config: ModelConfig, progress: bool = True) -> EvaluationClips:
        """Opens the clips as a model wants them.

        Args:
            config: The model's config.
            progress: Whether to show a progress bar.

        Raises:
            ValueError: If there are no such clips, or they do not fit the model.
            OSError: If a file cannot be read.
        """
        if self.input_path:
            return EvaluationRecords(self.input_path, config, progress)
        return EvaluationTfds(self._tfds_source, config, self.temporal_stride, progress)

    @property
    def count(self) -> int:
        """How many clips there are."""
        source = RecordSource(self.input_path) if self.input_path else self._tfds_source
        return sum(file.count for file in source.files)

    def sizes(self) -> dict[str, int]:
        """Returns the sizes of the local files in bytes, by their paths."""
        paths = sorted({path for path, _, _ in self._spans()})
        return {path: os.stat(path).st_size for path in paths if "://" not in path}

    def overlaps(self, other: "ClipSet") -> bool:
        """Says whether a file, or a part of one, belongs to both."""
        return any(
            path == theirs and start < their_end and their_start < end
            for path, start, end in self._spans()
            for theirs, their_start, their_end in other._spans()
        )

    def _spans(self):
        """Returns the first and last record, exclusive, of each file."""
        if self.input_path:
            return [(path, 0, float("inf")) for path in check_records(self.input_path)]
        return [
            (file.path, file.skip, file.skip + file.count)
            for file in self._tfds_source.files
        ]

    @property
    def _tfds_source(self):
        return _open(self.tfds_name, self.tfds_split, self.tfds_data_dir)


@functools.cache
def _open(name, split, data_dir):
    return TfdsSource(name, split, data_dir or None)
