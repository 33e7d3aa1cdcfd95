"""Clips and whole videos of prepared records to evaluate a model on."""

from collections.abc import Iterator, Sequence

import tensorflow as tf
import tqdm
from google.protobuf.message import DecodeError

from grw_tf.common.error_text import one_line
from grw_tf.data.evaluation_clips import EncodedClip, EvaluationClips
from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.records.sequence_examples import (
    FRAME_RATE,
    FRAMES,
    LABEL_INDEX,
    SOURCE,
    frame_stride,
)
from grw_tf.models import ModelConfig

# Length and checksums of a record in a TFRecord file.
_FRAMING_BYTES = 16


class EvaluationRecords(EvaluationClips):
    """The videos of records that `grw-prepare` wrote.

    Args:
        pattern: Paths, with wildcards or not, separated by commas.
        config: The model's config.
        progress: Whether to show a progress bar.
        classes: The model's classes, if it has only some of the records'; see
            `EvaluationClips`.

    Raises:
        ValueError: As `RecordSource`, or if the model has another number of classes.
        OSError: If a file cannot be read.
    """

    def __init__(
        self,
        pattern: str,
        config: ModelConfig,
        progress: bool = True,
        classes: Sequence[int] | None = None,
    ):
        source = RecordSource(pattern, config.has_several_labels)
        self._paths = source.paths
        super().__init__(pattern, source.class_names, config, progress, classes)

    def _records(self) -> Iterator[tuple[bytes, str]]:
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
                    yield record, f"{path}, record {number}"
                    progress.update(len(record) + _FRAMING_BYTES)

    def _parse(self, record: bytes, where: str) -> EncodedClip:
        try:
            example = tf.train.SequenceExample.FromString(record)
        except DecodeError:
            raise ValueError(
                f"{where} is not a SequenceExample: make it again."
            ) from None
        context = example.context.feature
        labels = context[LABEL_INDEX].int64_list.value
        jpegs = example.feature_lists.feature_list[FRAMES].feature
        rates = context[FRAME_RATE].float_list.value
        stride = frame_stride(rates[0] if rates else 0.0, self._config.fps, where)
        source = context[SOURCE].bytes_list.value
        name = source[0].decode(errors="surrogateescape") if source else where
        encoded = [_bytes_of(jpeg, where) for jpeg in jpegs]
        return EncodedClip(encoded, stride, list(labels), name, where)


def _read(path):
    try:
        yield from tf.data.TFRecordDataset(path).as_numpy_iterator()
    except tf.errors.DataLossError:
        raise ValueError(f"{path} is truncated: copy or make it again.") from None
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {one_line(error)}") from None


def _bytes_of(jpeg, where):
    if not jpeg.bytes_list.value:
        raise ValueError(f"{where} has a frame that is not a JPEG: make it again.")
    return jpeg.bytes_list.value[0]
