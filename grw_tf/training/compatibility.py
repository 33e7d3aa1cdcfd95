"""Whether a run's checkpoint is of the model and optimizer that would go on with it."""

import tensorflow as tf

from grw_tf.models.config_record import FrameFitMismatch

# What TensorFlow adds to checkpoints of several workers.
_RUNS = "checkpointed_runs"
_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"


def restore_whole(checkpoint, folder):
    """Restores the latest checkpoint of a run, if there is one, wholly or not at all.

    TensorFlow by itself restores what it finds, and leaves the rest as it is without a
    word.

    Args:
        checkpoint: The `tf.train.Checkpoint` to restore into, all variables built.
        folder: Folder of the run.

    Raises:
        ValueError: If variables are missing, left over or of other shapes.
    """
    path = tf.train.latest_checkpoint(folder)
    if path is None:
        return
    items = dict(checkpoint._trackable_children())
    items.pop("save_counter", None)
    if tf.train.load_checkpoint(path).has_tensor(f"{_RUNS}/{_VALUE}"):
        items.setdefault(_RUNS, tf.Variable(0, dtype=tf.int64, trainable=False))
    try:
        tf.train.Checkpoint(**items).restore(path).assert_consumed()
    except FrameFitMismatch as error:
        raise ValueError(f"{path}: {error}") from None
    except (AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} is of another model or optimizer than the config ({reason:.300})."
            f" Go on with the config that {folder}/params.yaml states, or give another"
            " --model_dir; its weights may be taken by task.init_checkpoint."
        ) from None
