"""The clips and the whole videos of a TFDS split, as a model wants them."""

from collections.abc import Iterator

import tqdm

from grw_tf.data.evaluation_clips import EncodedClip, EvaluationClips, is_chosen
from grw_tf.data.records.record_source import record_name
from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.models import ModelConfig


class EvaluationTfds(EvaluationClips):
    """The videos of a split of a TFDS data set.

    Args:
        source: The split.
        config: The model's config.
        stride: Frames from one to the next at the model's rate, as
            `temporal_stride` of a training's data says.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If the model does not have as many classes.
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

    def _labelled(self, chosen) -> Iterator[EncodedClip]:
        decode = self._source.decoder("frames", "label")
        share = Share(self._source.files)
        records = tqdm.tqdm(
            in_order(share).as_numpy_iterator(),
            desc="Evaluating",
            total=share.count,
            unit="clip",
            disable=not self._progress,
        )
        for index, record in enumerate(records):
            if is_chosen(index, chosen):
                where = f"{self._source.where}, clip {index}"
                decoded = decode(record)
                yield EncodedClip(
                    list(decoded["frames"].numpy()),
                    self._stride,
                    int(decoded["label"]),
                    record_name(record) or where,
                    where,
                )
