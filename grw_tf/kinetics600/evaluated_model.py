"""Reads the config and weights of a model to evaluate before building it."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from grw_tf.common.fingerprint import fingerprint
from grw_tf.models import ModelConfig, build_model
from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.model_variables import assign
from grw_tf.weights.restore import load_model
from grw_tf.weights.saved_variables import open_checkpoint
from grw_tf.weights.torch.importing import read_torch_weights

TORCH_SUFFIXES = (".pt", ".pth")


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
        checkpoint: Checkpoint of a whole model, as for `load_model`, or a PyTorch file,
            as for `read_torch_weights`, whose EMA weights are used.
        **changes: Fields of `ModelConfig` to change. No variable may depend on them.

    Raises:
        ValueError: As `load_model` and `read_torch_weights`, or if the checkpoint has
            no config or lacks variables.
        OSError: As `load_model` and `read_torch_weights`.
    """
    if os.fspath(checkpoint).lower().endswith(TORCH_SUFFIXES):
        imported = read_torch_weights(checkpoint)
        config = dataclasses.replace(imported.config, **changes)

        def build():
            model = build_model(config)
            assign(model, imported.values)
            return model

        return WholeModel(config, _fingerprint(imported.values), build)
    with open_checkpoint(checkpoint) as saved:
        if saved.config is None:
            raise ValueError(
                f"{checkpoint} records no config: evaluate a training's checkpoint, one"
                " of scripts.import_torch_weights, or the PyTorch file itself."
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
