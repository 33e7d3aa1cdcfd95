"""A 2-D convolution of clips that reads shapes from the graph, not at each step."""

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet_layers


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class StaticMobileConv2D(movinet_layers.MobileConv2D):
    """The Model Garden's `MobileConv2D`, reshaping clips by static shapes.

    It folds frames into the batch, or pixels into rows, around a 2-D convolution. The
    Model Garden computes the shapes in the graph, with some 60 operations a layer: a
    third of all operations of a training step, which each trace has to make. Where only
    the batch is unknown, static shapes serve as well. Otherwise it is the Model
    Garden's.

    Args, input shape [batch, time, height, width, channels], output shape, variables:
    as `movinet_layers.MobileConv2D`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        _, time, height, width, channels = inputs.shape
        if None in (time, height, width, channels):
            return super().call(inputs)
        if self._use_temporal:
            folded = (-1, time, height * width, channels)
        else:
            folded = (-1, height, width, channels)
        x = self._conv(tf.reshape(inputs, folded))
        for operation in (self._batch_norm_op, self._activation_op):
            if operation is not None:
                x = operation(x)
        # Paddings computed in the graph may hide the shape of what comes out.
        known = x.shape if x.shape[1:].is_fully_defined() else tf.shape(x)
        rows, columns = known[1], known[2]
        if self._use_temporal:
            return tf.reshape(x, (-1, rows, height, width, x.shape[-1]))
        return tf.reshape(x, (-1, time, rows, columns, x.shape[-1]))
