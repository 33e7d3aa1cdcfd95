"""Where the trainer's clips come from: records of this project, or a TFDS data set.

Both give files of records, and a function from a record to the encoded frames, of which
only those that are sampled are decoded.
"""

import difflib
import functools
import json
import os
import re

import tensorflow as tf
from official.vision.dataloaders import video_input

from grw_tf.data.record_stream import RecordFile
from grw_tf.data.sequence_examples import (
    LABELS_FILE,
    MANIFEST_FILE,
    SOURCE,
    check_records,
    frame_stride,
    read_frame_rate,
    read_labels,
)

_TFDS_FRAMES = "video"
_TFDS_LABEL = "label"
_TFDS_FORMAT = "tfrecord"


class RecordSource:
    """Records that `scripts.prepare_videos` wrote.

    Args:
        pattern: Paths, with wildcards or not, separated by commas.

    Attributes:
        where: What to call it in an error.
        class_names: Names of the classes.

    Raises:
        ValueError: As `check_records`.
        OSError: If a file cannot be read.
    """

    def __init__(self, pattern):
        self._paths = check_records(pattern)
        self.where = os.path.join(os.path.dirname(self._paths[0]), LABELS_FILE)
        self.class_names = read_labels(self.where)

    @functools.cached_property
    def files(self) -> tuple[RecordFile, ...]:
        """The files; those that no manifest lists are read to count their records."""
        counts = {}
        for folder in {os.path.dirname(path) for path in self._paths}:
            for shard in _listed_shards(folder):
                counts[os.path.join(folder, shard["file"])] = shard["clips"]
        return tuple(
            RecordFile(path, counts[path] if path in counts else _count(path))
            for path in self._paths
        )

    def stride(self, fps: float) -> int:
        """Returns every how many frames a model of `fps` frames a second takes.

        Raises:
            ValueError: If a file's rate is no whole multiple of it, or files differ.
        """
        strides = {
            path: frame_stride(read_frame_rate(path), fps, path) for path in self._paths
        }
        if len(set(strides.values())) > 1:
            one, other = (
                next(path for path, stride in strides.items() if stride == wanted)
                for wanted in sorted(set(strides.values()))[:2]
            )
            raise ValueError(
                f"{one} and {other} have different frames a second: make the records"
                f" of both by scripts.prepare_videos --fps={fps:g}."
            )
        return next(iter(strides.values()))

    def decoder(self, image_key: str, label_key: str):
        """Returns a function from a record to a dict of JPEGs and label."""
        return video_input.Decoder(image_key, label_key).decode


class TfdsSource:
    """A split of a TFDS data set with `video` and `label`, such as ucf101.

    What is not prepared yet is, which may mean a long download.

    Args:
        name: Of the data set, `ucf101/ucf101_1`.
        split: `train`, `test[:50%]`, ...
        data_dir: Where it is, or is prepared; None for the TFDS default.

    Attributes: see `RecordSource`.

    Raises:
        ValueError: If there is no such data set, split or feature, or its files are no
            TFRecords.
        OSError: If it is not prepared and cannot be, or lacks a file.
    """

    def __init__(self, name, split, data_dir=None):
        self.where = f"{name}, split {split}"
        builder = _builder(name, data_dir)
        # Before a download of what cannot be read.
        _check_format(name, builder)
        _check_features(name, builder.info.features)
        _prepare(name, builder)
        info = builder.info
        self.files = _files_of_split(name, split, info.splits)
        self.class_names = tuple(info.features[_TFDS_LABEL].names)
        form = info.features.tf_example_spec
        self._form = {key: form[key] for key in (_TFDS_FRAMES, _TFDS_LABEL)}

    def decoder(self, image_key: str, label_key: str):
        """Returns a function from a record to a dict of encoded frames and label."""

        def decode(record):
            # Not by TFDS' SkipDecoding, which takes longer, frame by frame.
            example = tf.io.parse_single_example(record, self._form)
            return {image_key: example[_TFDS_FRAMES], label_key: example[_TFDS_LABEL]}

        return decode


def record_name(record: bytes) -> str | None:
    """Returns where a record's clip comes from, if it says so."""
    # An Example is read as the context of a SequenceExample.
    context = tf.train.SequenceExample.FromString(record).context.feature
    for key in (SOURCE, "source", "filename"):
        if key in context and context[key].bytes_list.value:
            return context[key].bytes_list.value[0].decode(errors="backslashreplace")
    return None


def _listed_shards(folder):
    path = os.path.join(folder, MANIFEST_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        splits = json.load(file)["splits"].values()
    return [shard for split in splits for shard in split["shards"]]


def _count(path):
    try:
        return int(tf.data.TFRecordDataset(path).reduce(0, lambda count, _: count + 1))
    except tf.errors.DataLossError:
        raise ValueError(f"{path} is truncated: copy or make it again.") from None


def _builder(name, data_dir):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir or None)
    except Exception as error:  # A data set's own code raises what it likes.
        near = difflib.get_close_matches(name, _names_like(name), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"TFDS cannot open the data set {name!r} ({_first_line(error)}){hint}"
        ) from error


def _prepare(name, builder):
    import tensorflow_datasets as tfds

    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    except Exception as error:  # See _builder.
        raise OSError(
            f"{name} is not in {builder.data_dir}, and preparing it there failed"
            f" ({_first_line(error)}): make it elsewhere by `tfds build {name}`, and"
            " give that tfds_data_dir."
        ) from error


def _names_like(name):
    """Lists the data sets that TFDS knows, or the configs of the one that is meant."""
    import tensorflow_datasets as tfds

    names = tfds.list_builders(with_community_datasets=False)
    data_set = re.split("[/:]", name)[0]
    if data_set in names:
        configs = tfds.builder_cls(data_set).builder_configs
        return [f"{data_set}/{config}" for config in configs]
    return names


def _check_format(name, builder):
    stored = builder.info.file_format.value
    if stored != _TFDS_FORMAT:
        raise ValueError(
            f"{name} in {builder.data_dir} is of {stored} files, of which this project"
            f" reads none: give a tfds_data_dir for which `tfds build {name}"
            f" --file_format={_TFDS_FORMAT}` made it."
        )


def _check_features(name, features):
    import tensorflow_datasets as tfds

    wanted = {
        _TFDS_FRAMES: tfds.features.Video,
        _TFDS_LABEL: tfds.features.ClassLabel,
    }
    for key, kind in wanted.items():
        if key not in features:
            raise ValueError(
                f"{name} has the features {sorted(features)} and lacks {key!r}: it is"
                " no set of labelled videos."
            )
        if not isinstance(features[key], kind):
            raise ValueError(
                f"{name} has a {key!r} that is a {type(features[key]).__name__}, not a"
                f" {kind.__name__}: it is no set of labelled videos."
            )


def _files_of_split(name, split, splits):
    try:
        instructions = splits[split].file_instructions
    except (KeyError, ValueError, AssertionError):
        raise ValueError(
            f"{name} has no split {split!r}: it has {sorted(splits)}, and parts of"
            " them, as 'train[:80%]'."
        ) from None
    files = tuple(
        RecordFile(str(file.filename), file.take, file.skip) for file in instructions
    )
    if not files:
        raise ValueError(f"{name} has no clips in split {split!r}.")
    for file in files:
        if not tf.io.gfile.exists(file.path):
            raise OSError(f"{name} lacks its file {file.path}: prepare it again.")
    return files


def _first_line(error):
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line}"[:300].rstrip(".:")
