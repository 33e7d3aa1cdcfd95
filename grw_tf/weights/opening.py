"""Opens the checkpoint that a user names, whatever its form."""

import contextlib
import os
from collections.abc import Iterator

from grw_tf.weights.checkpoint_path import find_checkpoint
from grw_tf.weights.saved import Saved
from grw_tf.weights.saved_variables import SavedVariables
from grw_tf.weights.torch.archive import is_torch_file
from grw_tf.weights.torch.variables import TorchVariables


@contextlib.contextmanager
def open_checkpoint(init_checkpoint: str | os.PathLike) -> Iterator[Saved]:
    """Yields the variables of the checkpoint that a user names to `find_checkpoint`.

    Raises:
        ValueError, OSError: As `find_checkpoint`, `SavedVariables` and
            `TorchVariables`.
    """
    with find_checkpoint(init_checkpoint) as (path, config):
        if is_torch_file(path):
            yield TorchVariables(path)
        else:
            yield SavedVariables(path, config)
