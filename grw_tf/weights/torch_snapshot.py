"""The weights in a PyTorch file, checked, and what it says of their model."""

import collections
import dataclasses

import ml_dtypes
import numpy as np

from grw_tf.models import ModelConfig
from grw_tf.weights.torch_file import read_record, read_torch_file
from grw_tf.weights.torch_names import COUNTER
from grw_tf.weights.torch_wrappings import model_state, without_prefixes

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
# Of these, a published file has at least one.
_OWN_ENTRIES = {"num_samples", "transformer_params", "version"}
_FLOATS = tuple(map(np.dtype, ("float16", ml_dtypes.bfloat16, "float64")))
_EMA_PREFIX = "module."
_EMA_COUNT = "n_averaged"


@dataclasses.dataclass(frozen=True)
class TorchSnapshot:
    """A PyTorch file's weights.

    Attributes:
      tensors: by key of the state dict: float32, finite, and int64 counters.
      source: which of the file's weights they are, in words, and what was taken off or
        converted to get them.
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
    """Reads a published GRW model's file, or a state dict, without running it.

    A state dict may lie in an entry of what a training saved, its keys may begin with
    the names of wrappers, and its tensors may be float16, bfloat16 or float64.

    Args:
      path: the file.
      weights: "ema" (moving averages) or "model", where a file has both.

    Raises:
      ValueError: if it is damaged or holds what no weights file needs, has no such
        weights, or if a tensor is of no float type or not finite.
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
    if "model_state" not in content or not content.keys() & _OWN_ENTRIES:
        try:
            state, said = model_state(content, weights)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        tensors, converted = _tensors(state, path)
        source = _told("state dict", [*said, *converted])
        return TorchSnapshot(tensors, source, config=_recorded(path))
    version = content.get("version")
    if type(version) is not int or version != _VERSION:
        raise ValueError(
            f"{path} is a snapshot of version {version!r:.80}; version"
            f" {_VERSION}, the published one, can be read."
        )
    unknown = sorted(map(str, content.keys() - _ENTRIES))
    if unknown:
        raise ValueError(f"{path} has unknown entries: {', '.join(unknown)!r:.120}.")
    tensors, converted = _tensors(_chosen(content, weights, path), path)
    left_out = {"ema": "model", "model": "EMA"}[weights]
    return TorchSnapshot(
        tensors,
        _told(
            {"ema": "EMA weights", "model": "model weights"}[weights],
            [f"its {left_out} weights left out", *converted],
        ),
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


def _told(source, said):
    return f"{source} ({'; '.join(said)})" if said else source


def _tensors(state, path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns the tensors of a state dict, checked, and what was done to get them."""
    try:
        state, stripped = without_prefixes(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    tensors, converted = {}, collections.Counter()
    for key, value in state.items():
        if not isinstance(key, str):
            raise ValueError(f"{path}: its state dict has {key!r} as key, no text.")
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"{path}: {key!r:.120} is a {type(value).__name__}; a state dict has"
                " tensors only."
            )
        is_counter = key.endswith(COUNTER)
        if value.dtype in _FLOATS and not is_counter:
            converted[value.dtype.name] += 1
            # What float32 cannot hold is found below.
            with np.errstate(over="ignore"):
                value = value.astype("float32")
        _check_tensor(key, value, "int64" if is_counter else "float32", path)
        tensors[key] = value
    said = [
        f"{count} {name} tensors {'rounded' if name == 'float64' else 'widened'} to"
        " float32"
        for name, count in sorted(converted.items())
    ]
    return tensors, stripped + said


def _check_tensor(key, value, wanted, path):
    if value.dtype != wanted:
        raise ValueError(f"{path}: {key!r:.120} is {value.dtype}, not {wanted}.")
    if not np.isfinite(value).all():
        raise ValueError(f"{path}: {key!r:.120} has values that are not finite.")
    if key.endswith("running_var") and (value < 0).any():
        raise ValueError(f"{path}: {key!r:.120}, a variance, has negative values.")


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
