"""Finds a model's state dict in a training's checkpoint, and strips its keys' prefixes.

Trainings save a state dict alone or beside the optimizer's, as in `{"epoch": 3,
"state_dict": {...}}`. Parallel, compiled and averaged models prefix the keys with the
names of their wrappers.
"""

import re

import numpy as np

from grw_tf.common.first_few import first_few
from grw_tf.weights.torch.inert_pickle import Unread
from grw_tf.weights.torch.resnet_names import STEMS

# Words in the names of entries that are a model's state dict, such as model_state_dict,
# and trainers' attributes that hold a model, perhaps beside losses and metrics.
_WORDS = {"model", "net", "network", "module", "state", "dict", "weights", "params"}
_HELD = {"model", "net", "network", "backbone", "movinet", "student", "online"}
_AVERAGED = {"ema", "swa", "averaged", "shadow"}
# Wrappers of a model or of a part of it, whose names no layer has: torch.compile, FSDP,
# checkpointed activations and Lightning's strategies.
_WRAPPERS = (
    *("_orig_mod", "_fsdp_wrapped_module", "_fpw_module"),
    *("_checkpoint_wrapped_module", "_forward_module"),
)
_WITHIN = re.compile(rf"(?:^|(?<=\.))({'|'.join(_WRAPPERS)})\.")
# The prefix of DataParallel and of averages by torch.optim.swa_utils.
_PARALLEL = "module."
_AVERAGES_COUNT = "n_averaged"
_EXTRA_STATE = "_extra_state"
_SHOWN = 5
_MOST_DEPTH = 4


def model_state(content: dict, weights: str) -> tuple[dict, list[str]]:
    """Returns the model's state dict in a training's checkpoint.

    Entries with the name of a model's state dict are preferred. Without them, the only
    state dict in any entry is taken.

    Args:
        content: The checkpoint, from `read_torch_file`. It may itself be a state dict.
        weights: "ema" or "model": which to take if there are both.

    Returns:
        The state dict, or `content` if there is none, and remarks on its entry.

    Raises:
        ValueError: If several state dicts qualify.
    """
    if _is_state(content):
        return content, []
    found = _states(content, (), _MOST_DEPTH, _named_as_model)
    if not found:
        found = _states(content, (), _MOST_DEPTH, _named_at_all)
    averaged = {path: found[path] for path in found if _words(path) & _AVERAGED}
    plain = {path: found[path] for path in found if path not in averaged}
    first, second = (averaged, plain) if weights == "ema" else (plain, averaged)
    states = first or second
    if not states:
        return content, []
    if len(states) > 1:
        raise ValueError(
            f"it has several state dicts, {_listed(states)}: save the one to import"
            " alone."
        )
    ((path, state),) = states.items()
    others: list[tuple[str, ...]] = [(key,) for key in content if key != path[0]]
    others += [other for other in found if other != path and len(other) > 1]
    left_out = f"; {_listed(others)} left out" if others else ""
    return state, [f"of the entry {_listed([path])}{left_out}"]


def without_prefixes(state: dict, weights: str, name: str) -> tuple[dict, list[str]]:
    """Returns a state dict without the prefixes that wrappers give its keys.

    Any prefix that all keys have is stripped, and the names of wrappers within keys. If
    only some keys begin with `model.` or a similar prefix, the model is inside another
    module, and the other keys are left out.

    Args:
        state: The state dict.
        weights: "ema" or "model": which to take if keys have both prefixes, such as
            `ema_model.` and `model.`.
        name: The state dict's name for errors, in the plural: "its weights".

    Returns:
        The state dict, and remarks on what was stripped.

    Raises:
        ValueError: If keys become equal, or some of them lack a wrapper's prefix.
    """
    if not all(isinstance(key, str) for key in state):
        return state, []
    said, names = [], {key: key for key in state}
    beside = [
        key
        for key in state
        if key == _AVERAGES_COUNT or key.rpartition(".")[2] == _EXTRA_STATE
    ]
    if len(beside) < len(names):
        for key in beside:
            del names[key]
    # A 3-D ResNet's own names begin with words that wrappers have too.
    while STEMS.isdisjoint(names.values()) and (
        prefix := _prefix(names.values(), weights, name)
    ):
        said.append(f"prefix {prefix!r:.80} stripped")
        others = [(key,) for key in names if not names[key].startswith(prefix)]
        if others:
            said.append(f"{_listed(others)} left out")
        names = {
            key: name.removeprefix(prefix)
            for key, name in names.items()
            if name.startswith(prefix)
        }
    within = {found for name in names.values() for found in _WITHIN.findall(name)}
    for wrapper in sorted(within):
        said.append(f"'{wrapper}.' within keys stripped")
    names = {key: _WITHIN.sub("", name) for key, name in names.items()}
    if len(names) < len(state) and beside:
        said.append(f"{_listed([(key,) for key in beside])} left out")
    if len(set(names.values())) < len(names):
        raise ValueError("several of its keys are the same without prefixes: refused.")
    return {name: state[key] for key, name in names.items()}, said


def _prefix(names, weights: str, what: str) -> str | None:
    """Returns the prefix of all names, or of the names of a model among others."""
    names = list(names)
    parts = dict.fromkeys(name.partition(".")[0] for name in names if "." in name)
    if len(parts) == 1:
        (prefix,) = (f"{part}." for part in parts)
        other = [name for name in names if not name.startswith(prefix)]
        if not other:
            return prefix
        if prefix == _PARALLEL:
            raise ValueError(
                f"{what} have {other[0]!r:.120}, which does not begin with {prefix!r}."
            )
    held = [part for part in parts if _has_only(part, _WORDS | _HELD | _AVERAGED)]
    averaged = [part for part in held if _words([part]) & _AVERAGED]
    plain = [part for part in held if part not in averaged]
    first, second = (averaged, plain) if weights == "ema" else (plain, averaged)
    return next((f"{part}." for part in first or second), None)


def _is_state(value) -> bool:
    """Says whether a value is a state dict, perhaps with unread tensors."""
    if not isinstance(value, dict):
        return False
    tensors = [
        tensor
        for key, tensor in value.items()
        if not (isinstance(key, str) and key.endswith(_EXTRA_STATE))
    ]
    return any(isinstance(tensor, np.ndarray) for tensor in tensors) and all(
        isinstance(tensor, np.ndarray | Unread) for tensor in tensors
    )


def _states(content, path, depth, is_named) -> dict[tuple[str, ...], dict]:
    """Returns the state dicts within entries that have accepted names, by path."""
    found = {}
    for key, value in content.items() if depth else ():
        inner = (*path, key)
        if not isinstance(value, dict) or not is_named(key, value):
            continue
        if _is_state(value):
            found[inner] = value
        else:
            found |= _states(value, inner, depth - 1, is_named)
    return found


def _named_as_model(key, _) -> bool:
    return isinstance(key, str) and _has_only(key, _WORDS | _AVERAGED)


def _named_at_all(key, value) -> bool:
    # Only a model's keys have dots, for the part that a tensor is in.
    dotted = any(isinstance(inner, str) and "." in inner for inner in value)
    return isinstance(key, str) and (dotted or not _is_state(value))


def _has_only(key, words) -> bool:
    return bool(_words([key])) and _words([key]) <= words


def _words(path) -> set[str]:
    """Returns the words of keys such as model_state_dict, modelStateDict or model0."""
    text = " ".join(map(str, path))
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    return set(re.findall(r"[^\W\d_]+", text))


def _listed(paths) -> str:
    return first_few([f"{'/'.join(map(str, path))!r:.80}" for path in paths], _SHOWN)
