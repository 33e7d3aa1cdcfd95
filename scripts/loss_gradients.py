"""Measures the gradients of the classification loss and of GRW smoothing.

Runs `grw_tf.programs.loss_gradients`, as `grw-loss-gradients` does.
"""

from grw_tf.programs.console import loss_gradients

if __name__ == "__main__":
    loss_gradients()
