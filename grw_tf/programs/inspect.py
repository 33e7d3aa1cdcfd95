"""Prints which model a checkpoint holds.

    grw-inspect CHECKPOINT ...

CHECKPOINT is a prefix, a folder, a SavedModel, a .tar.gz, a PyTorch file, an .h5 file
of Keras, or the name of published weights.
"""

import sys

from grw_tf.common import programs
from grw_tf.weights.inspection import inspect


def define_flags() -> None:
    """Defines none: all arguments are checkpoints."""


def main(arguments: list[str]) -> None:
    if len(arguments) < 2:
        sys.exit(programs.help_text(__doc__, "grw-inspect"))
    failed = False
    for checkpoint in arguments[1:]:
        print(f"{'checkpoint':20} {checkpoint}")
        try:
            print(f"{inspect(checkpoint)}\n")
        except (OSError, ValueError) as error:
            print(f"{error}\n", file=sys.stderr)
            failed = True
    sys.exit(failed)
