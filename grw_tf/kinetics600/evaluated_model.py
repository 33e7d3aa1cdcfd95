"""A model to evaluate, known by its config and weights before it is built."""

import dataclasses
import os
from collections.abc import Callable

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
        config: The model's.
        fingerprint: Of its weights, the same for a PyTorch file and its import.
        build: Returns the model, as of `build_model`.
    """

    config: ModelConfig
    fingerprint: str
    build: Callable


def open_whole_model(checkpoint, **changes) -> WholeModel:
    """Reads what a checkpoint holds, without building the model.

    Args:
        checkpoint: Of a whole model, as of `load_model`; or a PyTorch file, as of
            `read_torch_weights`, of which the EMA weights are taken.
        **changes: Fields of `ModelConfig` to change that no variable depends on.

    Raises:
        ValueError: As those, or if the checkpoint records no config or lacks variables.
        OSError: As those.
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
            raise ValueError(f"{checkpoint} is of no whole model: {found.line()}.")
        values = {name: saved.value(key) for name, key in found.matched.items()}
        return WholeModel(
            dataclasses.replace(saved.config, **changes),
            _fingerprint(values),
            lambda: load_model(checkpoint, **changes),
        )


def _fingerprint(values):
    return fingerprint(values[name] for name in sorted(values))
