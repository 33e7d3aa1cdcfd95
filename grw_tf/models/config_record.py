"""The config that travels inside a model's checkpoints."""

import logging

import tensorflow as tf

from grw_tf.models.config import ModelConfig

ATTRIBUTE = "config_record"


class ConfigRecord(tf.train.experimental.PythonState):
    """Writes a model's config into each of its checkpoints, and checks it on restore.

    Args:
      config: the model's.

    Raises:
      ValueError: on restore, if the checkpoint's gating activation is another one: the
        weights would fit and the numbers be wrong.
    """

    def __init__(self, config: ModelConfig):
        self._config = config

    def serialize(self):
        return self._config.to_json()

    def deserialize(self, string_value):
        saved = ModelConfig.from_json(string_value).backbone.gating_activation
        built = self._config.backbone.gating_activation
        if saved != built:
            raise ValueError(
                f"The checkpoint's weights were trained with gating_activation={saved},"
                f" the model is built with {built}: build it with {saved}."
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
        if key.endswith(f"{ATTRIBUTE}/.ATTRIBUTES/py_state")
    ]
    if not keys:
        logging.info("%s records no config.", checkpoint_path)
        return None
    return ModelConfig.from_json(reader.get_tensor(keys[0]).decode())
