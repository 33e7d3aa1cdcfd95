"""Reads the config and weights of a model to evaluate before building it."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from grw_tf.common.fingerprint import fingerprint
from grw_tf.models import ModelConfig
from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.opening import open_checkpoint
from grw_tf.weights.restore import load_model


@dataclasses.dataclass(frozen=True)
class WholeModel:
    """A model that can be built with its weights.

    Attributes:
        config: Config of the model.
        fingerprint: Fingerprint of the weights, the same for a PyTorch file and its
            import.
        build: Returns the model with its weights.
    """

    config: ModelConfig
    fingerprint: str
    build: Callable


def open_whole_model(checkpoint: str | os.PathLike, **changes: Any) -> WholeModel:
    """Reads a checkpoint without building the model.

    Args:
        checkpoint: Checkpoint of a whole model, as for `load_model`.
        **changes: Fields of `ModelConfig` to change. No variable may depend on them.

    Raises:
        ValueError: As `load_model`, or if the checkpoint has no config or lacks
            variables.
        OSError: As `load_model`.
    """
    with open_checkpoint(checkpoint) as saved:
        if saved.config is None:
            raise ValueError(
                f"{checkpoint} records no config: evaluate a training's checkpoint, one"
                " of grw-import-torch, or the PyTorch file itself."
            )
        if saved.config.has_several_labels:
            raise ValueError(
                f"{checkpoint} has a sigmoid for each class, and clips of Kinetics-600"
                " have one class: evaluate a model with a softmax."
            )
        found = match_checkpoint(saved, saved.config, ("backbone", "affine", "head"))
        if found.missing or found.reshaped:
            raise ValueError(f"{checkpoint} holds no whole model: {found.line()}.")
        values = {name: saved.value(key) for name, key in found.matched.items()}
        return WholeModel(
            dataclasses.replace(saved.config, **changes),
            _fingerprint(values),
            lambda: load_model(checkpoint, **changes),
        )


def _fingerprint(values):
    return fingerprint(values[name] for name in sorted(values))
