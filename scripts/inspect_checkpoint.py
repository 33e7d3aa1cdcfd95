"""Prints which model a checkpoint holds.

Runs `grw_tf.programs.inspect`, as `grw-inspect` does.
"""

from grw_tf.programs.console import inspect

if __name__ == "__main__":
    inspect()
