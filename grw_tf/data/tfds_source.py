"""Reads clips for training from TFDS data sets. Only sampled frames are decoded."""

import contextlib
import pathlib
import re
from collections.abc import Callable

import tensorflow as tf

from grw_tf.common.class_names import normal_names
from grw_tf.common.error_text import one_line
from grw_tf.common.file_lock import locked
from grw_tf.common.suggestions import nearest_name
from grw_tf.data.records.record_stream import RecordFile

_FRAMES = "video"
_LABEL = "label"
_FORMAT = "tfrecord"


class TfdsSource:
    """A split of a TFDS data set with `video` and `label`, such as ucf101.

    A data set that is not prepared yet is prepared, which may mean a long download. The
    attributes are those of `RecordSource`.

    Args:
        name: Name of the data set, such as `ucf101/ucf101_1`.
        split: Split or part of one, such as `train` or `test[:50%]`.
        data_dir: Folder of the data sets; None for the TFDS default.
        several_labels: Whether `label` may be a sequence of any number of classes,
            rather than one class.

    Raises:
        ValueError: If the data set, split or a feature does not exist, or the files are
            not TFRecords.
        OSError: If the data set cannot be prepared or lacks a file.
    """

    def __init__(
        self,
        name: str,
        split: str,
        data_dir: str | None = None,
        several_labels: bool = False,
    ):
        self.where = f"{name}, split {split}"
        builder = _builder(name, data_dir)
        # Checked before a download of something that cannot be read.
        _check_format(name, builder)
        _check_features(name, builder.info.features, several_labels)
        info = _prepared(name, data_dir, builder).info
        self.files = _files_of_split(name, split, info.splits)
        label = _class_of(info.features[_LABEL])
        self.class_names = normal_names(label.names, name)
        form = info.features.tf_example_spec
        self._form = {key: form[key] for key in (_FRAMES, _LABEL)}

    def decoder(self, image_key: str, label_key: str) -> Callable:
        """Returns a function from a record to a dict of encoded frames and labels."""

        def decode(record):
            # SkipDecoding of TFDS is slower: it works frame by frame.
            example = tf.io.parse_single_example(record, self._form)
            return {image_key: example[_FRAMES], label_key: example[_LABEL]}

        return decode


def _builder(name, data_dir):
    import tensorflow_datasets as tfds

    # Registers the data sets of this project.
    from grw_tf.data import airplanes, labelled_clips  # noqa: F401

    try:
        return tfds.builder(name, data_dir=data_dir or None)
    except Exception as error:  # A data set's own code raises what it likes.
        near = nearest_name(name, _names_like(name))
        hint = f"; did you mean {near!r}?" if near else "."
        raise ValueError(
            f"TFDS cannot open the data set {name!r} ({_described(error)}){hint}"
        ) from error


def _prepared(name, data_dir, builder):
    """Returns a builder whose data set is prepared, by one process at a time."""
    import tensorflow_datasets as tfds

    if builder.is_prepared():
        return builder
    try:
        with _alone(builder.data_dir):
            # Another process may have prepared it meanwhile.
            builder = _builder(name, data_dir)
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
    except Exception as error:  # See _builder.
        raise OSError(
            f"{name} is not in {builder.data_dir}, and preparing it there failed"
            f" ({_described(error)}): make it elsewhere by `tfds build {name}`, and"
            " give that tfds_data_dir."
        ) from error
    return builder


@contextlib.contextmanager
def _alone(data_dir):
    """Locks a data set's folder against others, unless it is remote."""
    if "://" in str(data_dir):
        yield
        return
    folder = pathlib.Path(data_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):
        yield


def _names_like(name):
    """Lists the data sets that TFDS knows, or the configs of the named one."""
    import tensorflow_datasets as tfds

    names = tfds.list_builders(with_community_datasets=False)
    data_set = re.split("[/:]", name)[0]
    if data_set in names:
        configs = tfds.builder_cls(data_set).builder_configs
        return [f"{data_set}/{config}" for config in configs]
    return names


def _check_format(name, builder):
    stored = builder.info.file_format.value
    if stored != _FORMAT:
        raise ValueError(
            f"{name} in {builder.data_dir} has {stored} files, which this project"
            f" cannot read: give a tfds_data_dir for which `tfds build {name}"
            f" --file_format={_FORMAT}` made it."
        )


def _class_of(feature):
    """Returns the `ClassLabel` of a label that may be a sequence of them."""
    return getattr(feature, "feature", feature)


def _check_features(name, features, several_labels):
    import tensorflow_datasets as tfds

    wanted = {_FRAMES: tfds.features.Video, _LABEL: tfds.features.ClassLabel}
    for key, kind in wanted.items():
        if key not in features:
            raise ValueError(
                f"{name} has the features {sorted(features)} and lacks {key!r}: it is"
                " not a set of labeled videos."
            )
        feature = features[key]
        if key == _LABEL and isinstance(feature, tfds.features.Sequence):
            if not several_labels:
                raise ValueError(
                    f"{name} has a sequence of labels a clip, and a softmax takes one:"
                    " train a model with task.model.output_activation=sigmoid."
                )
            feature = _class_of(feature)
        if not isinstance(feature, kind):
            raise ValueError(
                f"{name} has a {key!r} that is a {type(feature).__name__}, not a"
                f" {kind.__name__}: it is not a set of labeled videos."
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


def _described(error):
    return f"{type(error).__name__}: {one_line(error)}".rstrip(".:")
