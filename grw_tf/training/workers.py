"""Several workers of one training: a shared checkpoint, a folder for each.

All workers run the same command, each with its own `TF_CONFIG`, on a folder that all
of them see. When one ends, the others end with an error within seconds; rerun, they
resume from the last checkpoint.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from official.core import train_lib

_BEST = "info.json"


class Runner(train_lib.OrbitExperimentRunner):
    """Starts every worker from the checkpoint that the chief wrote.

    With the Model Garden's runner, the other workers would start from scratch, each in
    its own folder. Here all read `shared_dir`, and each writes `model_dir`, from
    `own_folder`. For `at_start`, see `run_experiment`.
    """

    def __init__(
        self,
        *args: Any,
        shared_dir: str,
        at_start: Callable | None = None,
        **kwargs: Any,
    ):
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
def own_folder(model_dir: str, best_subdir: str, is_chief: bool) -> Iterator[str]:
    """Yields the folder that a worker writes: `model_dir` for the chief, else another.

    All workers save, because some variables can only be read by all of them together.
    So they must also agree on which checkpoint is the best, which `best_subdir` holds.
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


def lost_worker(error: tf.errors.OpError, model_dir: str) -> str | None:
    """Returns what to do if another worker's end caused an error, else None."""
    if "Collective ops is aborted" not in error.message:
        return None
    return (
        "Another worker of this training has ended; its output says why. Start all"
        " workers again, each with the same command: they resume from the last"
        f" checkpoint in {model_dir}."
    )
