"""Evaluates a linear classifier on a pretrained backbone, a baseline for fine-tuning.

Runs `grw_tf.programs.linear_probe`, as `grw-linear-probe` does.
"""

from grw_tf.programs.console import linear_probe

if __name__ == "__main__":
    linear_probe()
