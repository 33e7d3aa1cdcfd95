"""Residual blocks over time and space that regularizers can act in."""

from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.vision.modeling.layers import nn_blocks_3d

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.layers.stochastic_depth import StochasticDepth


class NormedConvolution(NamedTuple):
    """A convolution of a block, and what follows it.

    Attributes:
        convolution: The convolution.
        norm: The batch normalization after it.
        activated: Whether an activation follows, after the shortcut's sum if there is
            one.
    """

    convolution: tf_keras.layers.Layer
    norm: PerturbedBatchNormalization
    activated: bool = True


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class BottleneckBlock3D(nn_blocks_3d.BottleneckBlock3D):
    """The Model Garden's, with `PerturbedBatchNormalization`s and seeded drops.

    Args, call arguments, input and output shape: as the Model Garden's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._norm = PerturbedBatchNormalization

    def build(self, input_shape: tf.TensorShape) -> None:
        super().build(input_shape)
        self._stochastic_depth = drop_branch(self._stochastic_depth_drop_rate)

    @property
    def activation(self) -> str:
        """The activation's name."""
        return self._activation

    @property
    def branch(self) -> tuple[NormedConvolution, ...]:
        """The convolutions of the residual branch of a built block, in its order."""
        return (
            NormedConvolution(self._temporal_conv, self._norm1),
            NormedConvolution(self._spatial_conv, self._norm2),
            NormedConvolution(self._expand_conv, self._norm3),
        )

    @property
    def shortcut(self) -> NormedConvolution | None:
        """The shortcut's convolution, None if the shortcut is the input."""
        # It is there even if it is not used.
        used = self._shortcut_conv.built
        return NormedConvolution(self._shortcut_conv, self._norm0) if used else None


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class BasicBlock3D(tf_keras.layers.Layer):
    """Two convolutions over time and space with a shortcut, as in ResNet-18 and -34.

    relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)), where the shortcut is x, or a
    convolution of kernel 1 and a batch normalization if the shape changes.

    Args:
        filters: Channels of both convolutions.
        temporal_kernel_size: Frames of both kernels.
        temporal_strides: Of the first convolution, in time.
        spatial_strides: Of the first convolution, in space.
        stochastic_depth_drop_rate: How often a clip drops the residual branch.
        kernel_initializer: Of convolutions.
        activation: By name.
        use_sync_bn: Whether batch statistics are taken over all replicas.
        norm_momentum: Of the moving statistics.
        norm_epsilon: Added to variances.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, time, height, width, channels].
        training: Whether statistics are the batch's, and drops happen.

    Output shape: [batch, time / temporal_strides, height / spatial_strides,
      width / spatial_strides, filters].

    Reference: He et al., CVPR 2016; Hara et al., CVPR 2018.
    """

    def __init__(
        self,
        filters: int,
        temporal_kernel_size: int,
        temporal_strides: int,
        spatial_strides: int,
        stochastic_depth_drop_rate: float = 0.0,
        kernel_initializer: str = "VarianceScaling",
        activation: str = "relu",
        use_sync_bn: bool = False,
        norm_momentum: float = 0.99,
        norm_epsilon: float = 0.001,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.temporal_kernel_size = temporal_kernel_size
        self.temporal_strides = temporal_strides
        self.spatial_strides = spatial_strides
        self.stochastic_depth_drop_rate = stochastic_depth_drop_rate
        self.kernel_initializer = kernel_initializer
        self.activation = activation
        self.use_sync_bn = use_sync_bn
        self.norm_momentum = norm_momentum
        self.norm_epsilon = norm_epsilon
        self._activation_fn = tf_utils.get_activation(activation)

    def build(self, input_shape: tf.TensorShape) -> None:
        strides = (self.temporal_strides, self.spatial_strides, self.spatial_strides)
        size = (self.temporal_kernel_size, 3, 3)
        self._conv1 = self._convolution(size, strides)
        self._norm1 = self._batch_norm()
        self._conv2 = self._convolution(size, 1)
        self._norm2 = self._batch_norm()
        self._shortcut_conv = None
        if input_shape[-1] != self.filters or strides != (1, 1, 1):
            self._shortcut_conv = self._convolution(1, strides)
            self._norm0 = self._batch_norm()
        self._stochastic_depth = drop_branch(self.stochastic_depth_drop_rate)
        super().build(input_shape)

    @property
    def branch(self) -> tuple[NormedConvolution, ...]:
        """The convolutions of the residual branch of a built block, in its order."""
        return (
            NormedConvolution(self._conv1, self._norm1),
            NormedConvolution(self._conv2, self._norm2),
        )

    @property
    def shortcut(self) -> NormedConvolution | None:
        """The shortcut's convolution, None if the shortcut is the input."""
        if self._shortcut_conv is None:
            return None
        return NormedConvolution(self._shortcut_conv, self._norm0)

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        x = self._activation_fn(self._norm1(self._conv1(inputs)))
        x = self._norm2(self._conv2(x))
        if self._stochastic_depth:
            x = self._stochastic_depth(x, training=training)
        shortcut = inputs
        if self._shortcut_conv:
            shortcut = self._norm0(self._shortcut_conv(inputs))
        return self._activation_fn(x + shortcut)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "temporal_kernel_size": self.temporal_kernel_size,
            "temporal_strides": self.temporal_strides,
            "spatial_strides": self.spatial_strides,
            "stochastic_depth_drop_rate": self.stochastic_depth_drop_rate,
            "kernel_initializer": self.kernel_initializer,
            "activation": self.activation,
            "use_sync_bn": self.use_sync_bn,
            "norm_momentum": self.norm_momentum,
            "norm_epsilon": self.norm_epsilon,
        }

    def _convolution(self, size, strides):
        return tf_keras.layers.Conv3D(
            self.filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=tf_utils.clone_initializer(
                tf_keras.initializers.get(self.kernel_initializer)
            ),
        )

    def _batch_norm(self):
        return PerturbedBatchNormalization(
            momentum=self.norm_momentum,
            epsilon=self.norm_epsilon,
            synchronized=self.use_sync_bn,
        )


def drop_branch(rate: float) -> StochasticDepth | None:
    """Returns what drops a block's branch at a rate, None at rate 0."""
    # The Model Garden's draws from TensorFlow's global stream.
    return StochasticDepth(rate) if rate else None
