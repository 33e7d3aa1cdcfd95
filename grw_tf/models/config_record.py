"""The config that travels inside a model's checkpoints."""

import logging

import tensorflow as tf

from grw_tf.models.config import ModelConfig

_ATTRIBUTE = "model_config"


class ConfigRecord:
    """Mixin of a Keras model with a `config`: every checkpoint of it holds the config.

    Restoring checks the gating activation, for weights fit a model with another one and
    give wrong numbers. Checkpoints without a config, as the Model Garden's, restore
    unchecked; the Model Garden's models read those with one.

    Raises:
      ValueError: on restore, if the checkpoint's gating activation is another one.
    """

    def _serialize_to_tensors(self):
        return {_ATTRIBUTE: tf.constant(self.config.to_json())}

    def _restore_from_tensors(self, restored_tensors):
        # Tracing for a SavedModel restores nothing.
        if tf.executing_eagerly():
            saved = ModelConfig.from_json(restored_tensors[_ATTRIBUTE].numpy().decode())
            check_gate(saved, self.config)


def check_gate(saved: ModelConfig, built: ModelConfig):
    """Raises a ValueError if weights were trained with another gate than built."""
    trained = saved.backbone.gating_activation
    given = built.backbone.gating_activation
    if trained != given:
        raise ValueError(
            f"The checkpoint's weights were trained with gating_activation={trained},"
            f" the model is built with {given}: build it with {trained}."
        )


def recorded_config(checkpoint_path) -> ModelConfig | None:
    """Reads the config of the model saved in a checkpoint, None if it has none.

    Args:
      checkpoint_path: the checkpoint's prefix.
    """
    reader = tf.train.load_checkpoint(checkpoint_path)
    keys = [
        key
        for key in reader.get_variable_to_shape_map()
        if key.endswith(f".ATTRIBUTES/{_ATTRIBUTE}")
    ]
    if not keys:
        logging.info("%s records no config.", checkpoint_path)
        return None
    return ModelConfig.from_json(reader.get_tensor(keys[0]).decode())
