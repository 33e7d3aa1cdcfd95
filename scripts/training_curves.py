"""Draws the curves of training and validation of a comparison, as a PNG file.

Runs `grw_tf.programs.training_curves`, as `grw-training-curves` does.
"""

from grw_tf.programs.console import training_curves

if __name__ == "__main__":
    training_curves()
