"""Builds batches of clips from a data config with the Model Garden's reader."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from official.core import input_reader
from official.vision.dataloaders import video_input

from grw_tf.data.even_choice import choose_evenly
from grw_tf.data.records.record_labels import label_lists_of, labels_of
from grw_tf.data.records.record_source import RecordSource, record_name
from grw_tf.data.records.record_stream import Share, endless, in_order, picked
from grw_tf.data.records.seeded_parser import KEY, SeededParser
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.training.experiments.video_classification import DataConfig

_UNSUPPORTED = {
    "output_audio": "audio is not supported",
    "enable_tf_data_service": "its order of clips could not be resumed",
    "compressed_input": "grw-prepare writes plain files",
}


def open_source(
    params: DataConfig, several_labels: bool = False
) -> RecordSource | TfdsSource:
    """Opens the clips of `input_path`, or of `tfds_name` and `tfds_split`.

    Clips have one label, or with `several_labels` any number.

    Raises:
        ValueError: If the config names neither or both, or what is not supported.
        OSError: If a file cannot be read.
    """
    where = "task.train_data" if params.is_training else "task.validation_data"
    for key, reason in _UNSUPPORTED.items():
        if getattr(params, key):
            raise ValueError(f"{where}.{key} must be false: {reason}.")
    if params.cache and params.is_training:
        raise ValueError(
            f"{where}.cache must be false: otherwise each clip would be cropped and"
            " flipped the same way in every epoch."
        )
    if bool(params.input_path) == bool(params.tfds_name):
        raise ValueError(
            f"{where} needs either input_path or tfds_name, got"
            f" {params.input_path!r} and {params.tfds_name!r}."
        )
    if params.input_path:
        return RecordSource(params.input_path, several_labels)
    if not params.tfds_split:
        raise ValueError(f"{where}.tfds_split is empty: name a split, such as train.")
    return TfdsSource(
        params.tfds_name, params.tfds_split, params.tfds_data_dir, several_labels
    )


def batches(
    params: DataConfig,
    source: RecordSource | TfdsSource,
    geometry: FrameGeometry,
    seed: int,
    first_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    postprocess: Callable | None = None,
    chosen: int | None = None,
) -> tf.data.Dataset:
    """Returns batches of features and labels.

    The features are a dict with `image` `[batch, time, height, width, 3]`.

    Args:
        params: The data config. Training clips repeat endlessly, and their order and
            augmentation depend only on `seed` and on the clip's place in the stream.
            Other clips come once, in order.
        source: The clips, from `open_source`.
        geometry: The geometry of the model's frames.
        seed: The seed of order and augmentation.
        first_step: The number of training steps to skip.
        context: Names the pipeline, which reads its share; None reads all.
        postprocess: Function from a batch to a batch; None is the Model Garden's.
        chosen: The number of clips that `choose_evenly` picks from those that come
            once; None for all. With several replicas it is rounded down to whole
            batches.

    Raises:
        ValueError: If there are fewer clips than pipelines, if fewer are chosen than
            there are replicas, or if a clip to choose from has a label out of range.
    """
    decode = _checked(
        source.decoder(params.image_field_key, params.label_field_key),
        params.label_field_key,
        params.num_classes,
        params.is_multilabel,
    )
    parser = SeededParser(
        params,
        geometry,
        image_key=params.image_field_key,
        label_key=params.label_field_key,
    )
    if params.is_training:
        records = _training_records(params, source, seed, first_step, context)
        decode = _with_key(decode)
    elif chosen is None:
        records = in_order(_share(source, context))
    else:
        params, records = _chosen(params, source, chosen, context)
    reader = input_reader.InputReader(
        # The stream is shuffled already, before anything is decoded.
        params.replace(shuffle_buffer_size=1, deterministic=True),
        decoder_fn=decode,
        parser_fn=parser.parse_fn(params.is_training),
        postprocess_fn=postprocess or video_input.PostBatchProcessor(params),
    )
    return reader.read(context, records)


def records_of_step(
    params: DataConfig,
    source: RecordSource | TfdsSource,
    seed: int,
    step: int,
    context: tf.distribute.InputContext | None = None,
) -> list[bytes]:
    """Returns the records that this process reads in one training step."""
    records = _training_records(params, source, seed, step, context)
    count = params.global_batch_size // (context.num_input_pipelines if context else 1)
    return [record for _, record in records.take(count).as_numpy_iterator()]


def names(records: Iterable[bytes]) -> list[str]:
    """Returns the names of the records' clips, which say where they come from."""
    return [record_name(record) or "a clip without a name" for record in records]


def broken(
    params: DataConfig,
    source: RecordSource | TfdsSource,
    records: Iterable[bytes] | None = None,
) -> list[str]:
    """Returns the names of the clips with a frame that cannot be decoded.

    Without records, it searches the whole source.
    """
    if records is None:
        records = in_order(Share(source.files)).as_numpy_iterator()
    decode = source.decoder(params.image_field_key, params.label_field_key)
    return names(
        record
        for record in records
        if not all(map(_is_picture, decode(record)[params.image_field_key]))
    )


def _is_picture(encoded):
    try:
        tf.io.decode_image(encoded, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _checked(decode, label_key, num_classes, several_labels):
    """Checks labels, because one out of range would train towards no class.

    Two labels would train a softmax towards two classes at once, none towards none.
    """

    def decode_checked(record):
        decoded = decode(record)
        labels = decoded[label_key]
        inside = tf.reduce_all((labels >= 0) & (labels < num_classes))
        told = tf.debugging.Assert(
            inside, [f"A label is not one of the {num_classes} classes: ", labels]
        )
        checks = [told]
        if not several_labels:
            checks.append(
                tf.debugging.Assert(
                    tf.equal(tf.size(labels), 1),
                    [
                        "A clip has other than one label, and a softmax takes one: ",
                        labels,
                    ],
                )
            )
        with tf.control_dependencies(checks):
            return decoded | {label_key: tf.identity(labels)}

    return decode_checked


def _training_records(params, source, seed, first_step, context):
    share = _share(source, context)
    return endless(
        share,
        seed,
        first_step * params.global_batch_size // share.pipelines,
        params.shuffle_buffer_size,
        params.cycle_length,
    )


def _chosen(params, source, count, context):
    """Returns a config whose batches give every replica clips, and the records."""
    share = _share(source, context)
    pipelines = range(share.pipelines)
    smallest = min(dataclasses.replace(share, pipeline=i).count for i in pipelines)
    count = min(count // len(pipelines), smallest) * len(pipelines)
    if context is not None and context.num_replicas_in_sync > 1:
        replicas = context.num_replicas_in_sync
        batch_size = min(params.global_batch_size, count - count % replicas)
        if not batch_size:
            raise ValueError(
                f"trainer.batch_norm_recalibration must be at least {replicas}, the"
                " number of replicas, or 0, and every input pipeline must have clips."
            )
        # TensorFlow convolves empty batches to wrong shapes on CPUs.
        count -= count % batch_size
        params = params.replace(global_batch_size=batch_size)
    keys = params.image_field_key, params.label_field_key
    if params.is_multilabel:
        lists = label_lists_of(source, share, params.num_classes, *keys)
        # Clips with the same classes count as one class.
        kinds = dict.fromkeys(tuple(labels) for labels in lists)
        numbers = {kind: number for number, kind in enumerate(kinds)}
        labels = np.array([numbers[tuple(labels)] for labels in lists])
    else:
        labels = labels_of(source, share, params.num_classes, *keys)
    # Cached: all evaluations use the same few, and finding them means reading all.
    records = picked(share, choose_evenly(labels, count // len(pipelines))).cache()
    return params, records


def _share(source, context):
    if context is None:
        return Share(source.files)
    return Share(source.files, context.num_input_pipelines, context.input_pipeline_id)


def _with_key(decode):
    return lambda key, record: decode(record) | {KEY: key}
