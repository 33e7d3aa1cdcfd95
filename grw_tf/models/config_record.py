"""The config that travels inside a model's checkpoints."""

import dataclasses
import json
from collections.abc import Collection
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.models.config import ModelConfig
from grw_tf.models.regularization import lasting_rms

# Fields of `BackboneConfig` that do not change the function at inference.
_WITHOUT_EFFECT = (
    "stochastic_depth_drop_rate",
    "norm_momentum",
    "conv3d_by_frames",
    "recompute",
)

RECORD = "model_config"
"""What the config is called in a checkpoint."""


class FrameFitMismatch(ValueError):
    """A checkpoint's model had another `frame_fit` than the model to restore."""


class ConfigRecord:
    """Mixin of a Keras model with a `config`, which all its checkpoints record.

    Restoring checks what changes a model's function but not its variables, such as the
    gating activation: weights fit a model with another one and give wrong numbers.
    Checkpoints without a config, such as the Model Garden's, restore unchecked. The
    Model Garden's models can read checkpoints with one.

    Raises:
        ValueError: On restore, if the checkpoint's model computes another function.
    """

    config: ModelConfig

    def get_config(self) -> dict[str, Any]:
        return {"config": json.loads(self.config.to_json())}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> tf_keras.Model:
        read = ModelConfig.from_json(json.dumps(config["config"]))
        return cls(read)  # type: ignore[call-arg]  # A model takes its config.

    def _serialize_to_tensors(self):
        return {RECORD: tf.constant(self.config.to_json())}

    def _restore_from_tensors(self, restored_tensors):
        # Nothing is restored while a SavedModel is traced.
        if tf.executing_eagerly():
            saved = ModelConfig.from_json(restored_tensors[RECORD].numpy().decode())
            check_backbone(saved, self.config)
            if saved.frame_fit != self.config.frame_fit:
                raise FrameFitMismatch(
                    "The checkpoint's model was trained with"
                    f" frame_fit={saved.frame_fit}, the model is built with"
                    f" {self.config.frame_fit}: build it with"
                    f" {saved.frame_fit} (task.model.frame_fit={saved.frame_fit})."
                )
            for field in self.config.head.function:
                _check_field("head", field, saved, self.config)
            trained, built = saved.output_activation, self.config.output_activation
            if trained != built:
                raise ValueError(
                    f"The checkpoint's model was trained with a {trained}, the model is"
                    f" built with a {built}: build it with"
                    f" task.model.output_activation={trained}."
                )


def check_backbone(
    saved: ModelConfig, built: ModelConfig, ignored: Collection[str] = ()
) -> None:
    """Raises a ValueError if the saved backbone computes another function.

    Args:
        saved: Config of the saved model.
        built: Config of the model to restore.
        ignored: Names of fields of `BackboneConfig` that may differ.
    """
    for field in dataclasses.fields(saved.backbone):
        if field.name not in (*_WITHOUT_EFFECT, *ignored):
            _check_field("backbone", field.name, saved, built)
    if lasting_rms(saved) != lasting_rms(built):
        raise ValueError(
            f"The checkpoint's weights were trained with {_described(saved)}, the"
            f" model is built with {_described(built)}, and that acts at inference too:"
            " build it with the same."
        )


def _described(config):
    if lasting_rms(config) is None:
        return "no RMS whose alpha has another mean than 1"
    return f"an RMS of {config.regularization.rms}"


def _check_field(part, field, saved, built):
    trained = getattr(getattr(saved, part), field)
    given = getattr(getattr(built, part), field)
    if trained != given:
        raise ValueError(
            f"The checkpoint's weights were trained with {part}.{field}={trained}, the"
            f" model is built with {given}: build it with {trained}."
        )
