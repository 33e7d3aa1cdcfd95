"""The weights in a PyTorch file, checked, and what it says of their model."""

import dataclasses

import numpy as np

from grw_tf.models import ModelConfig
from grw_tf.weights.torch_file import read_record, read_torch_file
from grw_tf.weights.torch_names import COUNTER

CONFIG_RECORD = "grw_tf_config.json"
"""The model's config, in the files that this project writes."""

_VERSION = 10
_ENTRIES = {
    "model_state",
    "ema_weights",
    "num_samples",
    "transformer_params",
    "backbone",
    "T",
    "version",
}
_EMA_PREFIX = "module."
_EMA_COUNT = "n_averaged"


@dataclasses.dataclass(frozen=True)
class TorchSnapshot:
    """A PyTorch file's weights.

    Attributes:
      tensors: by key of the state dict: float32, finite, and int64 counters.
      source: which of the file's weights they are, in words.
      head: the published file's transformer_params, None if it has none.
      window: T, frames of a GRW window, None if it does not say.
      backbone: path of the published backbone's class, None if it does not say.
      config: the config in files of this project, else None.
    """

    tensors: dict[str, np.ndarray]
    source: str
    head: dict[str, int] | None = None
    window: int | None = None
    backbone: str | None = None
    config: ModelConfig | None = None


def read_snapshot(path, weights) -> TorchSnapshot:
    """Reads a published GRW model's file, or a plain state dict, without running it.

    Args:
      path: the file.
      weights: of a published file, "ema" (moving averages) or "model".

    Raises:
      ValueError: if it is damaged or holds what no weights file needs, has no such
        weights, or if a tensor is of another type than float32 or not finite.
      OSError: if it cannot be read.
    """
    if weights not in ("ema", "model"):
        raise ValueError(f"weights must be 'ema' or 'model', got {weights!r}.")
    content = read_torch_file(path)
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, neither a published GRW model"
            " nor a state dict."
        )
    if "model_state" not in content:
        tensors = _checked(content, path)
        return TorchSnapshot(tensors, "state dict", config=_recorded(path))
    version = content.get("version")
    if type(version) is not int or version != _VERSION:
        raise ValueError(
            f"{path} is a snapshot of version {version!r:.80}; version"
            f" {_VERSION}, the published one, can be read."
        )
    unknown = sorted(map(str, content.keys() - _ENTRIES))
    if unknown:
        raise ValueError(f"{path} has unknown entries: {', '.join(unknown)!r:.120}.")
    return TorchSnapshot(
        _checked(_chosen(content, weights, path), path),
        {
            "ema": "EMA weights (its model weights left out)",
            "model": "model weights (its EMA weights left out)",
        }[weights],
        head=_transformer_params(content, path),
        window=_whole(content, "T", path),
        backbone=_class_path(content, path),
    )


def _recorded(path):
    record = read_record(path, CONFIG_RECORD)
    try:
        return None if record is None else ModelConfig.from_json(record)
    except ValueError as error:
        raise ValueError(f"{path}: its {CONFIG_RECORD} is no config: {error}") from None


def _chosen(content, weights, path):
    state = content["model_state"]
    if weights == "ema":
        state = content.get("ema_weights")
        if state is None:
            raise ValueError(
                f"{path} has no EMA weights; --weights=model reads the others."
            )
        if isinstance(state, dict):
            state = _unwrapped(state, path)
    if not isinstance(state, dict):
        raise ValueError(f"{path}: its {weights} weights are no state dict.")
    return state


def _unwrapped(state, path):
    """Returns the state dict within that of a `torch.optim.swa_utils.AveragedModel`."""
    keys = [key for key in state if key != _EMA_COUNT]
    other = [key for key in keys if not str(key).startswith(_EMA_PREFIX)]
    if other:
        raise ValueError(
            f"{path}: its EMA weights have {other[0]!r:.120}, which does not begin with"
            f" {_EMA_PREFIX!r}."
        )
    return {key.removeprefix(_EMA_PREFIX): state[key] for key in keys}


def _checked(state, path):
    for key, value in state.items():
        if not isinstance(key, str):
            raise ValueError(f"{path}: its state dict has {key!r} as key, no text.")
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"{path}: {key!r:.120} is a {type(value).__name__}; a state dict has"
                " tensors only."
            )
        wanted = "int64" if str(key).endswith(COUNTER) else "float32"
        if value.dtype != wanted:
            raise ValueError(f"{path}: {key!r:.120} is {value.dtype}, not {wanted}.")
        if not np.isfinite(value).all():
            raise ValueError(f"{path}: {key!r:.120} has values that are not finite.")
        if str(key).endswith("running_var") and (value < 0).any():
            raise ValueError(f"{path}: {key!r:.120}, a variance, has negative values.")
    return state


def _transformer_params(content, path):
    params = getattr(content.get("transformer_params"), "state", None)
    if not isinstance(params, dict):
        raise ValueError(f"{path} has no transformer_params.")
    names = ("embed_dim", "depth", "num_heads", "mlp_dim", "num_classes")
    return {name: _whole(params, name, path) for name in names}


def _whole(values, name, path):
    value = values.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(
            f"{path}: {name} must be a positive number, got {value!r:.80}."
        )
    return value


def _class_path(content, path):
    named = content.get("backbone")
    if not hasattr(named, "module"):
        raise ValueError(f"{path}: backbone must be a class, got {named!r:.80}.")
    return f"{named.module}.{named.name}"
