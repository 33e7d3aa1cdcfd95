"""Writes and checks clips as `tf.train.SequenceExample` records for the Model Garden.

The keys are those of `official.vision.dataloaders.video_input`, or else those of
MediaPipe's media sequences.
"""

import collections
import json
import os
import re
from collections.abc import Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError

from grw_tf.common.class_names import normal_name
from grw_tf.common.error_text import one_line
from grw_tf.common.labels_file import LABELS_FILE, read_labels
from grw_tf.common.stored_file import read_bytes
from grw_tf.data.preparation.jpeg_clips import JpegClip

# The feature list: a JPEG for each frame.
FRAMES = "image/encoded"
# The context.
LABEL_INDEX = "clip/label/index"
LABEL_TEXT = "clip/label/text"
SOURCE = "clip/data_path"
FRAME_COUNT = "clip/num_frames"
FRAME_RATE = "image/frame_rate"
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"

MANIFEST_FILE = "manifest.json"

# NTSC's 29.97 frames per second count as 30.
_RATE_TOLERANCE = 0.01
_SEVERAL = "train a model with task.model.output_activation=sigmoid"
_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})\.tfrecord")


def sequence_example(
    clip: JpegClip,
    label_index: int | Sequence[int],
    label: str | Sequence[str],
    fps: float,
    source: str,
) -> tf.train.SequenceExample:
    """Returns the record of a clip.

    Args:
        clip: The frames.
        label_index: Index of the class in the labels file, from 0; or the indices of
            any number of classes, for models with several labels a clip.
        label: Name of the class, or names.
        fps: Frames per second.
        source: Source of the clip, such as a path.
    """
    indices = [label_index] if isinstance(label_index, int) else label_index
    names = [label] if isinstance(label, str) else label
    context = {
        LABEL_INDEX: _integer(*indices),
        LABEL_TEXT: _text(*names),
        SOURCE: _text(source),
        FRAME_COUNT: _integer(len(clip.frames)),
        FRAME_RATE: tf.train.Feature(float_list=tf.train.FloatList(value=[fps])),
        FORMAT: _text("JPEG"),
        HEIGHT: _integer(clip.height),
        WIDTH: _integer(clip.width),
    }
    frames = tf.train.FeatureList(feature=[_bytes(jpeg) for jpeg in clip.frames])
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list={FRAMES: frames}),
    )


def write_record(path: str | os.PathLike, example: tf.train.SequenceExample) -> None:
    """Writes a TFRecord file of one record. Such files can be concatenated.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        with tf.io.TFRecordWriter(os.fspath(path)) as writer:
            writer.write(example.SerializeToString(deterministic=True))
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be written: {one_line(error)}") from None


def check_records(pattern: str, several_labels: bool = False) -> list[str]:
    """Checks that files hold records of clips, by the first record of each.

    The classes must be those of the labels file in the same folder, and the sizes those
    of the manifest, if there is one.

    Args:
        pattern: Paths separated by commas. They may have wildcards, such as
            `records/train-*.tfrecord`.
        several_labels: Whether clips may have any number of labels, rather than one.

    Returns:
        The paths of the files, sorted.

    Raises:
        ValueError: If no file matches, a path is a folder, a shard is missing, or a
            file is truncated, holds other data, has a label that is not a class, or
            has another number of labels than one where that is not allowed.
        OSError: If a file cannot be read.
    """
    for given in pattern.split(","):
        if tf.io.gfile.isdir(given):
            files = os.path.join(given, "test-*.tfrecord")
            raise ValueError(f"{given} is a folder: name its files, as {files}.")
    paths = sorted(set(tf.io.gfile.glob(pattern.split(","))))
    if not paths:
        raise ValueError(f"No file matches {pattern}: expected TFRecord files.")
    folders = collections.defaultdict(list)
    for path in paths:
        folders[os.path.dirname(path)].append(path)
    for folder, shards in folders.items():
        _check_none_missing(shards)
        labels = read_labels(os.path.join(folder, LABELS_FILE))
        sizes = {shard["file"]: shard["bytes"] for shard in listed_shards(folder)}
        if not several_labels and _lists_labels(folder):
            raise ValueError(
                f"{folder or '.'} holds clips with any number of labels, by its"
                f" {MANIFEST_FILE}, and a softmax takes one: {_SEVERAL}, or make"
                " records with one label each."
            )
        for path in shards:
            _check_size(path, sizes)
            _check_first_record(path, labels, several_labels)
    return paths


def listed_shards(folder: str) -> list[dict]:
    """Returns how the manifest of a folder describes its files, [] without one.

    Raises:
        OSError: If the manifest cannot be read.
    """
    splits = _manifest(folder).get("splits", {}).values()
    return [shard for split in splits for shard in split["shards"]]


def _lists_labels(folder):
    settings = _manifest(folder).get("settings", {})
    return bool(settings.get("label_separator") or settings.get("negative_label"))


def _manifest(folder):
    manifest = os.path.join(folder, MANIFEST_FILE)
    if not tf.io.gfile.exists(manifest):
        return {}
    return json.loads(read_bytes(manifest))


def read_frame_rate(path: str) -> float:
    """Returns the frame rate of the first record of a file, 0 if it has none."""
    record = next(iter(tf.data.TFRecordDataset(path).take(1))).numpy()
    context = tf.train.SequenceExample.FromString(record).context
    rates = context.feature[FRAME_RATE].float_list.value
    return rates[0] if rates else 0.0


def frame_stride(rate: float, fps: float, where: str) -> int:
    """Returns the stride at which a model takes the frames of a record.

    Args:
        rate: Frames per second of the record.
        fps: Frames per second of the model.
        where: Name of the record in errors.

    Raises:
        ValueError: If `rate` is not a whole multiple of `fps`.
    """
    if not 0 < rate < float("inf"):
        raise ValueError(
            f"{where} does not state its frame rate, {FRAME_RATE}: make the records by"
            " grw-prepare."
        )
    stride = round(rate / fps)
    if stride < 1 or abs(rate / fps - stride) > _RATE_TOLERANCE * stride:
        raise ValueError(
            f"{where} has {rate:g} frames a second, no whole multiple of the model's"
            f" {fps:g}: make the records by grw-prepare --fps={fps:g}."
        )
    return stride


def _integer(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _text(*values):
    # Paths are not always UTF-8.
    return _bytes(*(value.encode(errors="surrogateescape") for value in values))


def _check_none_missing(paths):
    parts = {match.groups() for path in paths if (match := _SHARD.fullmatch(path))}
    for base, count in parts:
        for index in range(int(count)):
            path = f"{base}-{index:05d}-of-{count}.tfrecord"
            if not tf.io.gfile.exists(path):
                raise ValueError(f"{path}, one of {count} shards, is missing: copy it.")


def _check_size(path, sizes):
    size = tf.io.gfile.stat(path).length
    expected = sizes.get(os.path.basename(path), size)
    if size != expected:
        raise ValueError(
            f"{path} has {size} bytes, and {MANIFEST_FILE} says {expected}: it is"
            " truncated or from other records; copy or make it again."
        )


def _check_first_record(path, labels, several_labels):
    first = tf.data.TFRecordDataset(path).take(1).as_numpy_iterator()
    try:
        example = tf.train.SequenceExample.FromString(next(first))
    except StopIteration:
        raise ValueError(f"{path} holds no record: copy or make it again.") from None
    except tf.errors.DataLossError:
        raise ValueError(
            f"{path} is truncated in its first record, or not a plain TFRecord file."
        ) from None
    except DecodeError:
        raise ValueError(f"{path} holds other records than SequenceExamples.") from None
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {one_line(error)}") from None
    context, frames = example.context.feature, example.feature_lists.feature_list
    indices = context[LABEL_INDEX].int64_list.value if LABEL_INDEX in context else ()
    has_labels = LABEL_INDEX in context if several_labels else len(indices) == 1
    if not has_labels or FRAMES not in frames or not frames[FRAMES].feature:
        number = "a list of" if several_labels else "one"
        hint = f" (for clips with several, {_SEVERAL})" if len(indices) > 1 else ""
        raise ValueError(
            f"{path}: expected {number} {LABEL_INDEX} in the context and the frames in"
            f" the feature list {FRAMES}; its first record has the context"
            f" {sorted(context)}{f' with {len(indices)} labels' if hint else ''} and"
            f" the lists {sorted(frames)}{hint}."
        )
    texts = context[LABEL_TEXT].bytes_list.value if LABEL_TEXT in context else ()
    for place, index in enumerate(indices):
        if not 0 <= index < len(labels):
            raise ValueError(
                f"{path} has a clip of class {index}, and {LABELS_FILE} beside it has"
                f" {len(labels)} classes, from 0: they do not belong together."
            )
        if place >= len(texts):
            continue
        name = normal_name(texts[place].decode(errors="replace"))
        if name != normal_name(labels[index]):
            raise ValueError(
                f"{path} has a clip of {name!r} as class {index}, which is"
                f" {labels[index]!r} in {LABELS_FILE}: they do not belong together."
            )
