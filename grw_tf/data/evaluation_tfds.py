"""Clips and whole videos of a TFDS split to evaluate a model on."""

from collections.abc import Iterator

import tqdm

from grw_tf.data.evaluation_clips import EncodedClip, EvaluationClips
from grw_tf.data.records.record_source import record_name
from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.models import ModelConfig


class EvaluationTfds(EvaluationClips):
    """The videos of a split of a TFDS data set.

    Args:
        source: The split.
        config: The model's config.
        stride: `temporal_stride` of the data config.
        progress: Whether to show a progress bar.
    """

    def __init__(
        self,
        source: TfdsSource,
        config: ModelConfig,
        stride: int = 1,
        progress: bool = True,
    ):
        super().__init__(source.where, source.class_names, config, progress)
        self._source = source
        self._stride = stride
        self._decode = source.decoder("frames", "label")

    def _records(self) -> Iterator[tuple[bytes, str]]:
        share = Share(self._source.files)
        records = tqdm.tqdm(
            in_order(share).as_numpy_iterator(),
            desc="Evaluating",
            total=share.count,
            unit="clip",
            disable=not self._progress,
        )
        for index, record in enumerate(records):
            yield record, f"{self._source.where}, clip {index}"

    def _parse(self, record: bytes, where: str) -> EncodedClip:
        decoded = self._decode(record)
        frames = list(decoded["frames"].numpy())
        labels = decoded["label"].numpy().reshape(-1).tolist()
        name = record_name(record) or where
        return EncodedClip(frames, self._stride, labels, name, where)
