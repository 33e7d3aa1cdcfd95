"""A user's Keras layer as a regularizer, by the name it is registered under."""

import functools
import re

import tensorflow as tf
import tf_keras

from grw_tf.common.error_text import one_line
from grw_tf.layers.unregistered import Unregistered
from grw_tf.models.regularization_config import OwnLayerConfig, parse_arguments

_WHERE = "regularization.own_layer"


def is_registered(name: str) -> bool:
    """Returns whether a name is that of one of Keras' layers or a registered one."""
    return _class_of(name) is not None


def make_registered_layer(
    config: OwnLayerConfig, channels: int = 1
) -> tf_keras.layers.Layer:
    """Makes the layer, or an `Unregistered` one if its class is not registered.

    Args:
        config: The layer's name and arguments.
        channels: Channels of the features that it is called on.

    Raises:
        ValueError: For arguments that the class does not take, a layer that cannot be
            called on such features or changes their shape, or a layer with variables,
            which plain checkpoints would lack.
    """
    if not is_registered(config.layer):
        return Unregistered(config.layer)
    try:
        layer, tried = (
            _class_of(config.layer)(**parse_arguments(config.arguments))
            for _ in range(2)
        )
        layer.build((None, None, None, None, channels))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{_WHERE}.arguments {config.arguments!r:.80} do not fit"
            f" {config.layer}: {_line(error)}"
        ) from None
    if layer.weights:
        raise ValueError(
            f"{_WHERE}.layer {config.layer} has {len(layer.weights)} variables:"
            " regularizers have none, so that checkpoints fit with and without them."
        )
    # Another layer, because some remember what they were called with.
    _try(tried, f"{_WHERE}.layer {config.layer}({config.arguments:.80})", channels)
    return layer


def _try(layer, named, channels):
    """Traces a layer on a small clip, in training and at inference."""
    clip = tf.TensorSpec((2, 3, 4, 4, channels))
    for training in (True, False):
        call = tf.function(functools.partial(layer, training=training))
        try:
            shapes = call.get_concrete_function(clip).output_shapes
        except (NotImplementedError, TypeError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"{named} cannot be called on [batch, time, height, width,"
                f" channels]: {_line(error)}"
            ) from None
        if shapes != clip.shape:
            raise ValueError(
                f"{named} turns features {clip.shape} into {shapes}: regularizers keep"
                " the shape."
            )


def _line(error):
    # Autograph says where the error was, and below in one line what it was.
    found = re.search(r"^ *\w+Error: (.+)$", str(error), re.MULTILINE)
    return one_line(ValueError(found[1]) if found else error)


def _class_of(name):
    found = tf_keras.utils.get_registered_object(name)
    if found is None:
        found = getattr(tf_keras.layers, name, None)
    is_layer = isinstance(found, type) and issubclass(found, tf_keras.layers.Layer)
    return found if is_layer else None
