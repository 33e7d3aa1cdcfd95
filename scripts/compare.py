"""Answers whether smoothing and regularizers help on your clips.

Runs `grw_tf.programs.compare`, as `grw-compare` does.
"""

from grw_tf.programs.console import compare

if __name__ == "__main__":
    compare()
