"""What the workers of one training share, and what each keeps to itself.

All of them run the same command, each with its own `TF_CONFIG`, upon a folder that all
see. When one ends, the others end with an error within seconds; started again, all go
on from the last checkpoint.
"""

import contextlib
import os
import tempfile

import tensorflow as tf
from official.core import train_lib

_BEST = "info.json"


class Runner(train_lib.OrbitExperimentRunner):
    """Starts every worker from the checkpoint that the chief wrote.

    The Model Garden's other workers would begin anew, each in a folder of its own.

    Args:
        shared_dir: Folder of the training, which all workers see.
        at_start: See `run_experiment`.
        *args, **kwargs: Of `OrbitExperimentRunner`; `model_dir` is where this worker
            writes, of `own_folder`.
    """

    def __init__(self, *args, shared_dir, at_start=None, **kwargs):
        self._shared_dir = shared_dir
        self._at_start = at_start
        super().__init__(*args, **kwargs)

    def _maybe_build_checkpoint_manager(self):
        config = self.params.trainer
        return tf.train.CheckpointManager(
            self.trainer.checkpoint,
            directory=self.model_dir,
            max_to_keep=config.max_to_keep,
            step_counter=self.trainer.global_step,
            checkpoint_interval=config.checkpoint_interval,
            init_fn=self._initialize,
        )

    def _initialize(self):
        found = tf.train.latest_checkpoint(self._shared_dir)
        if found:
            self.trainer.checkpoint.restore(found)
        else:
            self.trainer.initialize()
            if self._at_start:
                self._at_start(self.trainer)


@contextlib.contextmanager
def own_folder(model_dir, best_subdir, is_chief):
    """Gives a worker the folder that it writes: the chief `model_dir`, others another.

    All workers save, as variables may be read from all of them only together. So they
    must also agree on which checkpoint is the best.

    Args:
        model_dir: Folder of the training, which all workers see.
        best_subdir: Where in it the best checkpoint is.
        is_chief: Whether this worker is the one that writes there.
    """
    if is_chief:
        yield model_dir
        return
    with tempfile.TemporaryDirectory() as folder:
        best = os.path.join(model_dir, best_subdir, _BEST)
        if best_subdir and tf.io.gfile.exists(best):
            tf.io.gfile.makedirs(os.path.join(folder, best_subdir))
            tf.io.gfile.copy(best, os.path.join(folder, best_subdir, _BEST))
        yield folder


def lost_worker(error, model_dir):
    """Returns what to do, if an error comes of another worker's end, or else None.

    Args:
        error: A `tf.errors.OpError`.
        model_dir: Folder of the training.
    """
    if "Collective ops is aborted" not in error.message:
        return None
    return (
        "Another worker of this training has ended, for the reason that its own output"
        " gives: start all workers again, each by the same command, and they go on from"
        f" the last checkpoint in {model_dir}."
    )
