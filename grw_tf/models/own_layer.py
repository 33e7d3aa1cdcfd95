"""Layers of one's own as regularisers, by the names they are registered by."""

import tf_keras

from grw_tf.layers.unregistered import Unregistered
from grw_tf.models.keyword_arguments import parse_arguments
from grw_tf.models.regularization_config import OwnLayerConfig

_WHERE = "regularization.own_layer"


def is_registered(name):
    """Says whether Keras knows a layer's class by a name, its own or registered."""
    return _class_of(name) is not None


def make_own_layer(config: OwnLayerConfig, channels=1):
    """Makes the layer, or what stands for it if its class is not at hand.

    Args:
      config: with a name and arguments.
      channels: of the features that the layer is called upon.

    Raises:
      ValueError: for arguments that the class does not take, or a layer with variables,
        which plain checkpoints would lack.
    """
    if not is_registered(config.layer):
        return Unregistered(config.layer)
    try:
        layer = _class_of(config.layer)(**parse_arguments(config.arguments))
        layer.build((None, None, None, None, channels))
    except (TypeError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise ValueError(
            f"{_WHERE}.arguments {config.arguments!r:.80} do not make a"
            f" {config.layer}: {problem:.200}"
        ) from None
    if layer.weights:
        raise ValueError(
            f"{_WHERE}.layer {config.layer} has {len(layer.weights)} variables:"
            " regularisers have none, so that checkpoints fit with and without them."
        )
    return layer


def _class_of(name):
    found = tf_keras.utils.get_registered_object(name)
    if found is None:
        found = getattr(tf_keras.layers, name, None)
    is_layer = isinstance(found, type) and issubclass(found, tf_keras.layers.Layer)
    return found if is_layer else None
