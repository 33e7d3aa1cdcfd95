"""Reads the folder of a training: the best model, its classes and its records.

It is a folder of `grw-train`, or any other checkpoint that records its config.
"""

import dataclasses
import glob
import os

import tensorflow as tf
import tf_keras
import yaml
from official.modeling import hyperparams

from grw_tf.common.class_choice import chosen_classes
from grw_tf.common.error_text import one_line
from grw_tf.common.labels_file import LABELS_FILE, check_class_names, read_labels
from grw_tf.models import ModelConfig
from grw_tf.weights.restore import load_model, recorded_config
from grw_tf.weights.thresholds import thresholds_for

_PARAMS_FILE = "params.yaml"
# What the trainer calls the folders of its checkpoints.
_BEST, _AVERAGES = "best_ckpt", "ema_checkpoints"


@dataclasses.dataclass(frozen=True)
class Run:
    """The result of a training.

    Attributes:
        model: The model, in float32, with the best weights.
        class_names: Names of the model's classes.
        checkpoint: The checkpoint of the weights.
        train_records, validation_records: Paths of the records, perhaps with wildcards,
            separated by commas; empty if they are not found here.
        trained_classes: Names of all classes of the training, where the model has only
            some of them; empty if it has all.
    """

    model: tf_keras.Model
    class_names: tuple[str, ...]
    checkpoint: str
    train_records: str = ""
    validation_records: str = ""
    trained_classes: tuple[str, ...] = ()

    @property
    def clip_config(self) -> ModelConfig:
        """The model's config, with as many classes as the clips of its training."""
        config = self.model.config
        count = len(self.trained_classes) or config.num_classes
        return dataclasses.replace(config, num_classes=count)

    def thresholds(self, given: str) -> tuple[float, ...] | None:
        """Returns the scores from which classes are named; None for a softmax.

        Args:
            given: As for `thresholds_for`.

        Raises:
            ValueError: As `thresholds_for`, or if some are given for a softmax.
            OSError: As `thresholds_for`.
        """
        if self.model.config.has_several_labels:
            names = self.trained_classes or self.class_names
            return thresholds_for(given, self.checkpoint, names, self.class_names)
        if given:
            raise ValueError(
                f"--thresholds={given}, and this model has a softmax, of which exactly"
                " one class is right: leave it out."
            )
        return None


def load_best(checkpoint_dir: str | os.PathLike) -> tf_keras.Model:
    """Loads the best model of a training as `read_run` does, but without labels."""
    return load_model(best_checkpoint(checkpoint_dir))


def best_checkpoint(checkpoint_dir: str | os.PathLike) -> str:
    """Returns the checkpoint of a training's best model, or a checkpoint as it is.

    Raises:
        ValueError: If the training has no config or no checkpoint.
    """
    folder = os.path.expanduser(os.fspath(checkpoint_dir))
    return _best_checkpoint(folder, _read_params(folder))


def read_run(
    checkpoint_dir: str | os.PathLike, labels: str = "", classes: str = ""
) -> Run:
    """Reads the folder of a training and loads its best model.

    Args:
        checkpoint_dir: The `--model_dir` of `grw-train`, or a checkpoint that
            records its config, as for `grw_tf.weights.restore.load_model`.
        labels: File of the classes' names, one a line; by default `labels.txt` in that
            folder or in its parent.
        classes: Some of the classes, as for `chosen_classes`; by default all. The model
            then gives the logits of these alone.

    Raises:
        ValueError: If there is no model or no config, or if the labels are missing or
            do not fit the model.
        OSError: If a file cannot be read.
    """
    folder = os.path.expanduser(os.fspath(checkpoint_dir))
    params = _read_params(folder)
    checkpoint = _best_checkpoint(folder, params)
    # Labels come first, as building the model takes long.
    class_names = read_labels(labels or _find_labels(folder))
    chosen = chosen_classes(classes, class_names)
    train, validation = (
        _records(params, split) for split in ("train_data", "validation_data")
    )
    if chosen is None:
        model = load_model(checkpoint)
        check_class_names(class_names, model.config)
        return Run(model, class_names, checkpoint, train, validation)
    if config := recorded_config(checkpoint):
        check_class_names(class_names, config)
    model = load_model(checkpoint, chosen)
    some = tuple(class_names[index] for index in chosen)
    return Run(model, some, checkpoint, train, validation, class_names)


def _read_params(folder):
    path = os.path.join(folder, _PARAMS_FILE)
    if tf.io.gfile.exists(path):
        try:
            params = hyperparams.read_yaml_to_params_dict(path).as_dict()
            # Any of them may be null.
            return {key: value or {} for key, value in params.items()}
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{path} is not the config of a training ({one_line(error)}): put the"
                " original back."
            ) from None
    if tf.io.gfile.isdir(os.path.join(folder, _BEST)):
        raise ValueError(
            f"{folder} is a training without its config, {_PARAMS_FILE}: put that back,"
            f" or name a checkpoint, such as {os.path.join(folder, _BEST)}."
        )
    return None


def _best_checkpoint(folder, params):
    """Returns the folder of the best weights, else of averages, else of the last."""
    if params is None:
        return folder
    best = params.get("trainer", {}).get("best_checkpoint_export_subdir")
    for subfolder in filter(None, (best, _AVERAGES, ".")):
        path = os.path.normpath(os.path.join(folder, subfolder))
        if tf.io.gfile.glob(os.path.join(path, "*.index")):
            return path
    raise ValueError(
        f"{folder} has {_PARAMS_FILE} but no checkpoint: the training ended before its"
        " first checkpoint; resume it."
    )


def _find_labels(folder):
    for place in (folder, os.path.dirname(os.path.abspath(folder))):
        path = os.path.join(place, LABELS_FILE)
        if tf.io.gfile.exists(path):
            return path
    raise ValueError(
        f"There is no {LABELS_FILE} in {folder} or the folder above: pass"
        " --labels=FILE, the classes' names one a line, in the order of the logits."
    )


def _records(params, split):
    task = (params or {}).get("task", {})
    paths = (task.get(split) or {}).get("input_path") or ""
    listed = paths.split(",") if isinstance(paths, str) else paths
    return ",".join(path for path in listed if "://" in path or glob.glob(path))
