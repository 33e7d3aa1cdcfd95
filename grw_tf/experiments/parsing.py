"""From the Model Garden's flags to an experiment's config, checked key by key."""

import difflib
import typing
from collections.abc import Mapping

import tensorflow as tf
import yaml
from official.core import exp_factory
from official.modeling import hyperparams
from official.modeling.hyperparams.params_dict import ParamsDict

from grw_tf.experiments.video_classification import EXPERIMENTS, fill_in

_NUMBERS = (int, float)


def parse_experiment(options):
    """Returns the config of an experiment, with what files and flags override.

    Args:
      options: the Model Garden's flags experiment, config_file (a list),
        params_override and tpu.

    Raises:
      ValueError: for an experiment, key or type of value that does not exist; it names
        the nearest.
    """
    name = options.experiment
    if name not in EXPERIMENTS:
        raise ValueError(f"Unknown experiment {name!r}{_near(name, EXPERIMENTS)}")
    params = exp_factory.get_exp_config(name)
    for source in [*(options.config_file or []), options.params_override]:
        if source:
            values = _mapping(source)
            _check(values, params, source)
            params.override(values)
    params.override({"runtime": {"tpu": options.tpu}})
    fill_in(params)
    params.validate()
    params.lock()
    return params


def _mapping(source):
    """Reads a YAML file, YAML text, or pairs as `a.b=1,c=2`."""
    try:
        read = hyperparams.override_params_dict(ParamsDict(), source, is_strict=False)
    except tf.errors.NotFoundError:
        raise ValueError(f"There is no config file {source}.") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise ValueError(f"{source} is no YAML of keys: {problem}") from None
    return read.as_dict()


def _check(values, config, source, path=""):
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise ValueError(f"{source}: {path or 'all of it'} must be a mapping of keys.")
    types = typing.get_type_hints(type(config))
    for key, value in values.items():
        if key not in types:
            raise ValueError(
                f"{source}: unknown key {path + str(key)!r}{_near(str(key), types)}"
            )
        inner = getattr(config, key)
        if isinstance(inner, hyperparams.Config):
            _check(value, inner, source, f"{path}{key}.")
        elif not _fits(value, types[key]):
            wanted = getattr(types[key], "__name__", str(types[key]))
            raise ValueError(
                f"{source}: {path}{key} must be of type {wanted}, not {value!r:.80}."
            )


def _fits(value, wanted):
    """Says whether a YAML value is of a field's type, as far as that is plain."""
    if wanted is bool:
        return isinstance(value, bool)
    if wanted in _NUMBERS:
        allowed = (int,) if wanted is int else _NUMBERS
        return isinstance(value, allowed) and not isinstance(value, bool)
    if wanted is str:
        return isinstance(value, str)
    return True


def _near(name, names):
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(sorted(names))}."
