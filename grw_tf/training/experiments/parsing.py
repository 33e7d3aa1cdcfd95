"""Reads an experiment's config from the Model Garden's flags, checked key by key."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import yaml
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams
from official.modeling.hyperparams import params_dict

from grw_tf.common.error_text import one_line
from grw_tf.common.suggestions import suggest
from grw_tf.common.typed_mapping import MappingReader
from grw_tf.training.experiments.checks import check_experiment
from grw_tf.training.experiments.config_files import config_path
from grw_tf.training.experiments.former_names import check_names
from grw_tf.training.experiments.video_classification import EXPERIMENTS, fill_in

_UNUSED_FLAGS = {
    "gin_file": "set keys in --config_file",
    "gin_params": "set keys in --params_override",
    "tf_data_service": "the tf.data service is not supported",
    "tpu_platform": "name the TPU in --tpu",
    "tfhub_handle": "export the checkpoint",
    "tflex_output_uri": "export the checkpoint",
}
"""What to do instead of using Model Garden flags that do nothing here."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The resolved config of an experiment, and where its values come from.

    Attributes:
        params: The config, locked.
        sources: Where each value comes from, by its path in dots: a config file,
            "--params_override", "--tpu" or "filled in". The experiment's defaults are
            not listed.
    """

    params: cfg.ExperimentConfig
    sources: dict[str, str]


def parse_experiment(options: Any) -> cfg.ExperimentConfig:
    """Returns the config of an experiment; see `parse_recipe`."""
    return parse_recipe(options).params


def parse_recipe(options: Any) -> Recipe:
    """Returns the config of an experiment, and where its values come from.

    Args:
        options: The Model Garden's flags experiment, config_file (a list of paths or
            names of shipped configs), params_override and tpu, and optionally mode.

    Raises:
        ValueError: If an experiment, key or type of value does not exist; the message
            names the nearest. If a name is a former one; the message has the new
            command. If a value makes no sense or does nothing; see `check_experiment`.
    """
    name, files = options.experiment, options.config_file or []
    check_names(name, files)
    if name not in EXPERIMENTS:
        raise ValueError(f"Unknown experiment {name!r}; {suggest(name, EXPERIMENTS)}")
    for flag, instead in _UNUSED_FLAGS.items():
        if getattr(options, flag, None):
            raise ValueError(f"--{flag} does nothing here: {instead}.")
    params: cfg.ExperimentConfig = exp_factory.get_exp_config(name)
    sources: dict[str, str] = {}
    layers = [(read_yaml(file), file) for file in files]
    if options.params_override:
        layers.append(_given(options.params_override))
    if options.tpu:
        layers.append(({"runtime": {"tpu": options.tpu}}, "--tpu"))
    for values, source in layers:
        sources |= dict.fromkeys(override(params, values, source), source)
    given = dict(leaves(params.as_dict()))
    fill_in(params)
    for path, value in leaves(params.as_dict()):
        if value != given[path]:
            start = f"{sources[path]}, " if path in sources else ""
            sources[path] = f"{start}filled in"
    check_experiment(params, getattr(options, "mode", None))
    params.validate()
    params.lock()
    return Recipe(params, sources)


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the path in dots and the value of each key that holds no mapping."""
    for key, value in values.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from leaves(value, inner)
        else:
            yield inner, value


def _given(text):
    """Returns the values of --params_override, and their source."""
    try:
        # Pairs, such as a.b=1,c=2.
        yaml_text = params_dict.nested_csv_str_to_json_str(text)
    except ValueError:
        yaml_text = text
    values = _loaded(yaml_text, "--params_override")
    if isinstance(values, str) and "=" not in values:
        return read_yaml(values), values
    return values, "--params_override"


def read_yaml(file: str) -> Any:
    """Returns what a config file holds; a `ValueError` says why it cannot be read.

    Args:
        file: Its path, or the name of a shipped one; see `config_path`.
    """
    try:
        with tf.io.gfile.GFile(config_path(file)) as opened:
            text = opened.read()
    except tf.errors.NotFoundError:
        raise ValueError(f"There is no config file {file!r:.200}.") from None
    except tf.errors.OpError as error:
        raise ValueError(
            f"Config file {file!r:.200} cannot be read: {one_line(error)}"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not YAML with keys: it is not text.") from None
    return _loaded(text, file)


def _loaded(text, source):
    try:
        # The Model Garden's loader, which also reads tuples in a run's params.yaml.
        return yaml.load(text, Loader=yaml.FullLoader)
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{source} is not YAML with keys: {one_line(error)}") from None


def override(params: hyperparams.Config, values: Any, source: str) -> list[str]:
    """Overrides keys of an experiment, and returns their paths in dots.

    Args:
        params: The experiment.
        values: Nested mappings of keys; None changes nothing.
        source: Where they come from, for errors.

    Raises:
        ValueError: If a key does not exist, or a value has another type.
    """
    # A file of comments alone is empty.
    if values is None:
        return []
    try:
        read = _READER.read(values, type(params), now=params)
        params.override(read)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    return [path for path, _ in leaves(read)]


def _checked_choice(config_class, values, path):
    """Returns a config's values, whose `type` must be one of its choices, if any."""
    if issubclass(config_class, hyperparams.OneOfConfig):
        names = {field.name for field in dataclasses.fields(config_class)}
        chosen, choices = values.get("type"), sorted(names - {"type"})
        if chosen is not None and chosen not in choices:
            raise ValueError(
                f"unknown {path}.type {chosen!r}; {suggest(chosen, choices)}"
            )
    return values


# The Model Garden mixes data sets with plain configs, which is not supported here.
_READER = MappingReader(_checked_choice, skipped=(hyperparams.Config,))
