"""Losses: pure functions on TensorFlow tensors, one value per window."""

from grw_tf.losses.grw import cut_windows, grw_loss, grw_terms

__all__ = ["cut_windows", "grw_loss", "grw_terms"]
