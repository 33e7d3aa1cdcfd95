"""Prints which model a checkpoint holds.

    python -m scripts.inspect_checkpoint CHECKPOINT ...

CHECKPOINT is a prefix, a folder, a SavedModel, a .tar.gz, a PyTorch file, an .h5 file
of Keras, or the name of published weights.
"""

import sys

from grw_tf.common import programs
from grw_tf.weights.inspection import inspect


def main(arguments: list[str]) -> None:
    if len(arguments) < 2:
        sys.exit(__doc__)
    failed = False
    for checkpoint in arguments[1:]:
        print(f"{'checkpoint':20} {checkpoint}")
        try:
            print(f"{inspect(checkpoint)}\n")
        except (OSError, ValueError) as error:
            print(f"{error}\n", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    programs.run(main)
