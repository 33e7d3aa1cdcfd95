"""Restores a run's checkpoint only if it fits the model and the optimizer."""

import tensorflow as tf

from grw_tf.common.error_text import one_line
from grw_tf.models.config_record import FrameFitMismatch

# TensorFlow adds it to the checkpoints of several workers.
_RUNS = "checkpointed_runs"


def restore_whole(checkpoint: tf.train.Checkpoint, folder: str) -> None:
    """Restores the latest checkpoint of a run, if any, completely or not at all.

    TensorFlow would restore what it finds and silently leave the rest. All variables of
    `checkpoint` must be built.

    Raises:
        ValueError: If variables are missing, left over or have other shapes.
    """
    path = tf.train.latest_checkpoint(folder)
    if path is None:
        return
    items = dict(checkpoint._trackable_children())
    items.pop("save_counter", None)
    if tf.train.load_checkpoint(path).has_tensor(f"{_RUNS}/.ATTRIBUTES/VARIABLE_VALUE"):
        items.setdefault(_RUNS, tf.Variable(0, dtype=tf.int64, trainable=False))
    try:
        tf.train.Checkpoint(**items).restore(path).assert_consumed()
    except FrameFitMismatch as error:
        raise ValueError(f"{path}: {error}") from None
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{path} is of another model or optimizer than the config"
            f" ({one_line(error)}). Continue with the config in {folder}/params.yaml,"
            " or give another --model_dir; task.init_checkpoint can start from its"
            " weights."
        ) from None
