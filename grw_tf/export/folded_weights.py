"""A MoViNet's convolutions as arrays, with batch normalization folded in."""

import numpy as np
import tf_keras

from grw_tf.weights.model_variables import find_variable, model_layout

_BATCH_NORM_EPSILON = 1e-3


class FoldedWeights:
    """Kernels and biases of a MoViNet in float64, in one form for all convolutions."""

    def __init__(self, model: tf_keras.Model) -> None:
        self._values = {
            name: find_variable(model, name).numpy().astype(np.float64)
            for name in model_layout(model.config)
        }

    def __contains__(self, name: str) -> bool:
        return f"{name}/_batch_norm/gamma" in self._values

    def convolution(
        self, name: str, size: tuple[int, int, int] = (1, 1, 1), part: str = ""
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns a convolution and the batch normalization after it.

        Args:
            name: The layer's name, as in `grw_tf.weights.model_variables`.
            size: (time, height, width) of the kernel.
            part: "", or "_temporal" for the second part of a (2+1)D convolution.

        Returns:
            The kernel [time, height, width, inputs, outputs], with 1 input if it is
            depthwise, and the bias [outputs].
        """
        gamma, beta, mean, variance = (
            self._values[f"{name}/_batch_norm{part}/{statistic}"]
            for statistic in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + _BATCH_NORM_EPSILON)
        kernel = self._variable(f"{name}/_conv{part}", "kernel")
        return kernel.reshape(*size, -1, scale.size) * scale, beta - mean * scale

    def pointwise(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns a kernel [1, 1, 1, inputs, outputs] and its bias [outputs]."""
        bias = self._variable(f"{name}/_conv", "bias")
        kernel = self._variable(f"{name}/_conv", "kernel")
        return kernel.reshape(1, 1, 1, -1, bias.size), bias

    def scale(self, name: str) -> float:
        """Returns the factor of a `Scale` layer."""
        return float(self._values[f"{name}/_scale"])

    def _variable(self, name, kind):
        (value,) = (
            value
            for key, value in self._values.items()
            if key.startswith(f"{name}/") and key.endswith(kind)
        )
        return value
