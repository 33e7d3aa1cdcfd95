"""Finds a model's state dict in what trainings save, and takes its keys' prefixes off.

Trainings save a state dict alone or beside the optimizer's, as in `{"epoch": 3,
"state_dict": {...}}`, and parallel, compiled and averaged models put the names of their
wrappers before the keys.
"""

import re

import numpy as np

# Words that entries with a model's state dict are named by, as model_state_dict.
_WORDS = {"model", "net", "network", "module", "state", "dict", "weights", "params"}
_AVERAGED = {"ema", "swa", "averaged", "shadow"}
# What trainers call a model that they hold, perhaps beside losses and metrics.
_HELD = ("model.", "net.", "network.")
# Of DataParallel, FSDP and DeepSpeed, and of torch.compile.
_PREFIXES = ("module.", "_orig_mod.", *_HELD)
# A compiled part of a model has it within its keys, and no layer is called so.
_COMPILED = "_orig_mod."
_AVERAGES_COUNT = "n_averaged"
_SHOWN = 5
_MOST_DEPTH = 4


def model_state(content: dict, weights: str) -> tuple[dict, list[str]]:
    """Returns the state dict in what a training saved, itself if it is one.

    Args:
      content: as `read_torch_file` gives it.
      weights: "ema" or "model": which to take where there are both.

    Returns:
      The state dict, and in words what it was taken out of; `content` itself if no
      entry is named as a model's state dict and holds tensors alone.

    Raises:
      ValueError: if there are several of a kind.
    """
    found = _states(content, (), _MOST_DEPTH)
    averaged = {
        path: state for path, state in found.items() if _words(path) & _AVERAGED
    }
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
    others = {(key,): None for key in content if key != path[0]}
    others |= {other: None for other in found if other != path and len(other) > 1}
    left_out = f"; {_listed(others)} left out" if others else ""
    return state, [f"of the entry {_listed([path])}{left_out}"]


def without_prefixes(state: dict) -> tuple[dict, list[str]]:
    """Returns a state dict without the prefixes that all its keys have.

    Of a model within another, whose keys begin with `model.` or the like, what is
    beside it is left out.

    Returns:
      The state dict, and in words what was taken off.

    Raises:
      ValueError: if keys become the same.
    """
    if not all(isinstance(key, str) for key in state):
        return state, []
    said, names = [], {key: key for key in state}
    counted = _AVERAGES_COUNT in state and len(state) > 1
    if counted:
        del names[_AVERAGES_COUNT]
    while prefix := _prefix(names.values()):
        said.append(f"prefix {prefix!r} stripped")
        beside = [(key,) for key in names if not names[key].startswith(prefix)]
        if beside:
            said.append(f"{_listed(beside)} left out")
        names = {
            key: name.removeprefix(prefix)
            for key, name in names.items()
            if name.startswith(prefix)
        }
    if any(_COMPILED in name for name in names.values()):
        said.append(f"{_COMPILED!r} within keys stripped")
        names = {key: name.replace(_COMPILED, "") for key, name in names.items()}
    if counted and not said:
        return state, []
    if counted:
        said.append(f"{_AVERAGES_COUNT!r} left out")
    if len(set(names.values())) < len(names):
        raise ValueError("several of its keys are the same without prefixes: refused.")
    return {name: state[key] for key, name in names.items()}, said


def _prefix(names) -> str | None:
    for prefix in _PREFIXES:
        having = [name.startswith(prefix) for name in names]
        if any(having) and (all(having) or prefix in _HELD):
            return prefix
    return None


def _states(content, path, depth) -> dict[tuple[str, ...], dict]:
    """Returns the dicts of tensors within entries named as a model's, by path."""
    found = {}
    for key, value in content.items() if depth else ():
        inner = (*path, key)
        if not isinstance(value, dict) or not _named_as_model(key):
            continue
        if value and all(isinstance(tensor, np.ndarray) for tensor in value.values()):
            found[inner] = value
        else:
            found |= _states(value, inner, depth - 1)
    return found


def _named_as_model(key) -> bool:
    return isinstance(key, str) and _words([key]) <= _WORDS | _AVERAGED


def _words(path) -> set[str]:
    return {word for key in path for word in re.split(r"[\W_]+", key.lower()) if word}


def _listed(paths) -> str:
    paths = list(paths)
    shown = [f"{'/'.join(map(str, path))!r:.80}" for path in paths[:_SHOWN]]
    more = [f"{len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return ", ".join(shown + more)
