"""Residual blocks whose convolutions over time and space see channels one by one."""

from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.layers.residual_blocks_3d import NormedConvolution, drop_branch

_EXPANSION = 4


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class ChannelSeparatedBlock3D(tf_keras.layers.Layer):
    """The bottleneck block of channel-separated networks (CSN).

    A convolution of kernel 1 to `filters` channels; if interactions are preserved, a
    second of kernel 1; a depthwise one of 3x3x3, with the strides; and one of kernel 1
    to 4 * `filters` channels. A batch normalization follows each, and a ReLU each but
    the second of kernel 1. The shortcut, added before the last ReLU, is the input, or
    a convolution of kernel 1 and a batch normalization if the shape changes.

    Args:
        filters: Channels of the depthwise convolution.
        temporal_strides: Strides in time.
        spatial_strides: Strides in space.
        preserves_interaction: Whether there is the second convolution of kernel 1
            (ip-CSN), without which channels interact less (ir-CSN).
        stochastic_depth_drop_rate: How often a clip drops the residual branch.
        kernel_initializer: Of convolutions.
        activation: By name.
        norm_epsilon: Added to variances.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, time, height, width, channels].
        training: Whether statistics are the batch's, and drops happen.

    Output shape: [batch, time / temporal_strides, height / spatial_strides,
      width / spatial_strides, 4 * filters].

    Reference: Tran et al., Video Classification with Channel-Separated Convolutional
    Networks, ICCV 2019.
    """

    def __init__(
        self,
        filters: int,
        temporal_strides: int,
        spatial_strides: int,
        preserves_interaction: bool = True,
        stochastic_depth_drop_rate: float = 0.0,
        kernel_initializer: str = "VarianceScaling",
        activation: str = "relu",
        norm_epsilon: float = 0.001,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.temporal_strides = temporal_strides
        self.spatial_strides = spatial_strides
        self.preserves_interaction = preserves_interaction
        self.stochastic_depth_drop_rate = stochastic_depth_drop_rate
        self.kernel_initializer = kernel_initializer
        self.activation = activation
        self.norm_epsilon = norm_epsilon
        self._activation_fn = tf_utils.get_activation(activation)

    def build(self, input_shape: tf.TensorShape) -> None:
        strides = (self.temporal_strides, self.spatial_strides, self.spatial_strides)
        outputs = _EXPANSION * self.filters
        self._reduction = self._pointwise(self.filters)
        self._reduction_norm = self._batch_norm()
        self._interaction = None
        if self.preserves_interaction:
            self._interaction = self._pointwise(self.filters)
            self._interaction_norm = self._batch_norm()
        # The Model Garden's, because Keras' has no groups on CPUs.
        self._depthwise = nn_layers.Conv3D(
            self.filters,
            (3, 3, 3),
            strides,
            padding="same",
            groups=self.filters,
            use_bias=False,
            kernel_initializer=self._initializer(),
        )
        self._depthwise_norm = self._batch_norm()
        self._expansion = self._pointwise(outputs)
        self._expansion_norm = self._batch_norm()
        self._shortcut = None
        if input_shape[-1] != outputs or strides != (1, 1, 1):
            self._shortcut = self._pointwise(outputs, strides)
            self._shortcut_norm = self._batch_norm()
        self._stochastic_depth = drop_branch(self.stochastic_depth_drop_rate)
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        x = inputs
        *earlier, last = self.branch
        for convolution, norm, activated in earlier:
            x = norm(convolution(x))
            x = self._activation_fn(x) if activated else x
        x = last.norm(last.convolution(x))
        if self._stochastic_depth:
            x = self._stochastic_depth(x, training=training)
        shortcut = inputs
        if self.shortcut:
            shortcut = self.shortcut.norm(self.shortcut.convolution(inputs))
        return self._activation_fn(x + shortcut)

    @property
    def branch(self) -> tuple[NormedConvolution, ...]:
        """The convolutions of the residual branch of a built block, in its order."""
        found = [NormedConvolution(self._reduction, self._reduction_norm)]
        if self._interaction is not None:
            found += [
                NormedConvolution(self._interaction, self._interaction_norm, False)
            ]
        return (
            *found,
            NormedConvolution(self._depthwise, self._depthwise_norm),
            NormedConvolution(self._expansion, self._expansion_norm),
        )

    @property
    def shortcut(self) -> NormedConvolution | None:
        """The shortcut's convolution, None if the shortcut is the input."""
        if self._shortcut is None:
            return None
        return NormedConvolution(self._shortcut, self._shortcut_norm)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "temporal_strides": self.temporal_strides,
            "spatial_strides": self.spatial_strides,
            "preserves_interaction": self.preserves_interaction,
            "stochastic_depth_drop_rate": self.stochastic_depth_drop_rate,
            "kernel_initializer": self.kernel_initializer,
            "activation": self.activation,
            "norm_epsilon": self.norm_epsilon,
        }

    def _pointwise(self, filters, strides=1):
        return tf_keras.layers.Conv3D(
            filters,
            1,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=self._initializer(),
        )

    def _batch_norm(self):
        return PerturbedBatchNormalization(epsilon=self.norm_epsilon)

    def _initializer(self):
        return tf_utils.clone_initializer(
            tf_keras.initializers.get(self.kernel_initializer)
        )
