"""Lets another layer come before a built layer, without a place of its own."""

from typing import Any

import tensorflow as tf
import tf_keras


def let_come_before(layer: tf_keras.layers.Layer) -> None:
    """Makes a layer pass its input through its attribute `before`, None at first.

    Only the instance changes: its class, variables and checkpoints stay. A second call
    does nothing.

    Args:
        layer: A built layer, whose first argument is a tensor.
    """
    if hasattr(layer, "before"):
        return
    layer.before = None
    plain = layer.call

    # Keras tells the layer before it whether it trains.
    @tf.autograph.experimental.do_not_convert
    def call(inputs: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        if layer.before is not None:
            inputs = layer.before(inputs)
        return plain(inputs, *args, **kwargs)

    layer.call = call
