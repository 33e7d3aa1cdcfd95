"""Reads the weights in a PyTorch file, checked, and what it says about their model."""

import collections
import dataclasses
import os

import ml_dtypes
import numpy as np

from grw_tf.models import ModelConfig
from grw_tf.weights.torch.file import read_record, read_torch_file
from grw_tf.weights.torch.inert_pickle import Unread
from grw_tf.weights.torch.names import COUNTER
from grw_tf.weights.torch.wrappings import model_state, without_prefixes

CONFIG_RECORD = "grw_tf_config.json"
"""The record of the model's config in files that this project writes."""

_VERSION = 10
_ENTRIES = {
    *("model_state", "ema_weights", "num_samples"),
    *("transformer_params", "backbone", "T", "version"),
}
_FLOATS = tuple(map(np.dtype, ("float16", ml_dtypes.bfloat16, "float64")))


@dataclasses.dataclass(frozen=True)
class TorchSnapshot:
    """A PyTorch file's weights.

    Attributes:
        tensors: Finite float32 arrays by key of the state dict; batch norm's counters
            may have any type.
        source: Which of the file's weights they are, in words, and what was stripped or
            converted.
        head: The transformer_params of a published file, else None.
        window: T, the frames of a GRW window, in a published file, else None.
        backbone: The path of the backbone's class in a published file, else None.
        config: The config in a file of this project, else None.
    """

    tensors: dict[str, np.ndarray]
    source: str
    head: dict[str, int] | None = None
    window: int | None = None
    backbone: str | None = None
    config: ModelConfig | None = None


def read_snapshot(path: str | os.PathLike, weights: str) -> TorchSnapshot:
    """Reads a published GRW model's file or a state dict, without running its pickle.

    The state dict may be an entry of a training's checkpoint, its keys may have the
    names of wrappers, and its tensors may be float16, bfloat16 or float64.

    Args:
        path: The file.
        weights: "ema" (moving averages) or "model": which to take if a file has both.

    Raises:
        ValueError: If the file is damaged or holds what no weights file needs, if it
            has no such weights, or if a tensor is not finite or has no float type.
        OSError: If it cannot be read.
    """
    if weights not in ("ema", "model"):
        raise ValueError(f"weights must be 'ema' or 'model', got {weights!r}.")
    content, record = read_torch_file(path), read_record(path, CONFIG_RECORD)
    try:
        if not isinstance(content, dict):
            raise ValueError(
                f"it holds a {type(content).__name__}, neither a published GRW model"
                " nor a state dict."
            )
        if _is_published(content):
            return _published(content, weights)
        state, said = model_state(content, weights)
        tensors, stripped, converted = _tensors(state, weights, "its weights")
        source = _described("state dict", [*said, *stripped, *converted])
        return TorchSnapshot(tensors, source, config=_recorded(record))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _is_published(content) -> bool:
    # Other trainings save a model_state with a version too.
    own = "transformer_params" in content or {"version", "T"} <= content.keys()
    return own and "model_state" in content


def _published(content, weights):
    version = content.get("version")
    if type(version) is not int or version != _VERSION:
        raise ValueError(
            f"it is a snapshot of version {version!r:.80}; only the published version"
            f" {_VERSION} can be read."
        )
    unknown = sorted(map(str, content.keys() - _ENTRIES))
    if unknown:
        raise ValueError(f"it has unknown entries: {', '.join(unknown)!r:.120}.")
    named, left_out = "EMA", "model"
    if weights == "model":
        named, left_out = left_out, named
    state = content["model_state"] if weights == "model" else content.get("ema_weights")
    if weights == "ema" and state is None:
        raise ValueError("it has no EMA weights; --weights=model reads the others.")
    if not isinstance(state, dict):
        raise ValueError(f"its {named} weights are not a state dict.")
    # The averages of published files always have their wrapper's prefix.
    tensors, _, converted = _tensors(state, weights, f"its {named} weights")
    said = [f"its {left_out} weights left out", *converted]
    return TorchSnapshot(
        tensors,
        _described(f"{named} weights", said),
        head=_transformer_params(content),
        window=_whole(content, "T"),
        backbone=_class_path(content),
    )


def _recorded(record):
    try:
        return None if record is None else ModelConfig.from_json(record)
    except ValueError as error:
        raise ValueError(f"its {CONFIG_RECORD} is not a config: {error}") from None


def _described(source, said):
    return f"{source} ({'; '.join(said)})" if said else source


def _tensors(state, weights, name):
    """Returns a state dict's checked tensors, and what was stripped and converted."""
    state, stripped = without_prefixes(state, weights, name)
    tensors, converted = {}, collections.Counter()
    for key, value in state.items():
        if isinstance(key, Unread):
            raise ValueError(f"its state dict cannot be read: {key.reason}")
        if not isinstance(key, str):
            raise ValueError(f"its state dict has {key!r} as key, which is not text.")
        if isinstance(value, Unread):
            raise ValueError(f"{key!r:.120} cannot be read: {value.reason}")
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"{key!r:.120} is a {type(value).__name__}; a state dict has tensors"
                " only."
            )
        # Counters may have any type, as the model does not use them.
        if not key.endswith(COUNTER):
            if value.dtype in _FLOATS:
                converted[value.dtype.name] += 1
                # Values beyond float32 become infinite and are refused below.
                with np.errstate(over="ignore"):
                    value = value.astype("float32")
            _check_tensor(key, value)
        tensors[key] = value
    said = [
        f"{count} {name} tensors {'rounded' if name == 'float64' else 'widened'} to"
        " float32"
        for name, count in sorted(converted.items())
    ]
    return tensors, stripped, said


def _check_tensor(key, value):
    if value.dtype != "float32":
        raise ValueError(f"{key!r:.120} is {value.dtype}, not float32.")
    if not np.isfinite(value).all():
        raise ValueError(f"{key!r:.120} has values that are not finite.")
    if key.endswith("running_var") and (value < 0).any():
        raise ValueError(f"{key!r:.120}, a variance, has negative values.")


def _transformer_params(content):
    params = getattr(content.get("transformer_params"), "state", None)
    if not isinstance(params, dict):
        raise ValueError("it has no transformer_params.")
    names = ("embed_dim", "depth", "num_heads", "mlp_dim", "num_classes")
    return {name: _whole(params, name) for name in names}


def _whole(values, name):
    value = values.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a positive number, got {value!r:.80}.")
    return value


def _class_path(content):
    named = content.get("backbone")
    if not hasattr(named, "module"):
        raise ValueError(f"backbone must be a class, got {named!r:.80}.")
    return f"{named.module}.{named.name}"
