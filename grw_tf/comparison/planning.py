"""Planning a comparison: all that can be wrong with it is told before the first run."""

import json
import os
import tempfile
import types
from pathlib import Path

import tensorflow as tf

from grw_tf.common.output_folder import check_writable
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.plan import Plan, experiment_yaml
from grw_tf.comparison.variants import (
    GRW_INTERMEDIATE,
    check_endpoint,
    make_variant,
    split_names,
    with_shared_head,
)
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.models import ModelConfig
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen
from grw_tf.training.tasks.video_classification import Task

_STRATEGIES = ("one_device", "mirrored")


def make_plan(options, config: ComparisonConfig) -> Plan:
    """Plans a comparison, and checks all that can be wrong with it.

    Args:
      options: the Model Garden's flags experiment, config_file, params_override, tpu.
      config: what to compare.

    Raises:
      ValueError: if the experiment, a variant or the records make no sense.
      OSError: if something cannot be read or written.
    """
    # They are for the processes of the runs, and can be left before any use alone.
    tf.config.set_visible_devices([], "GPU")
    check_writable(Path(config.output_dir))
    names = split_names(config.variants)
    params = parse_experiment(options)
    _check_machine(params.runtime)
    asked = frozen(params.task.model, ModelConfig)
    shared_model = with_shared_head(asked, names)
    if config.intermediate_layer:
        if not any(GRW_INTERMEDIATE in name.split("+") for name in names):
            raise ValueError(
                f"--intermediate_layer={config.intermediate_layer} does nothing without"
                f" the variant {GRW_INTERMEDIATE}."
            )
        check_endpoint(shared_model, config.intermediate_layer)
    variants = tuple(
        make_variant(name, shared_model, config.intermediate_layer) for name in names
    )
    _check_distinct(variants)
    first_seed = params.task.seed
    shared = _shared(params, shared_model)
    for variant in variants:
        _check_experiment(
            options.experiment, experiment_yaml(shared, variant, first_seed)
        )
    class_names = Task(params.task).open_sources(train=True, evaluate=True)
    test_records = _test_records(config, params)
    if EvaluationRecords(test_records, shared_model).class_names != class_names:
        raise ValueError(
            f"{test_records} has other classes than the clips to train on: make the"
            " records together, or with the same --labels."
        )
    return Plan(
        config=config,
        experiment=options.experiment,
        shared=shared,
        model_config=shared_model,
        variants=variants,
        seeds=tuple(range(first_seed, first_seed + config.seeds)),
        test_records=test_records,
        class_names=class_names,
        remarks=tuple(_remarks(params, asked, shared_model, names)),
    )


def _check_distinct(variants):
    """Raises a ValueError if two names mean the same model here."""
    names = {}
    for variant in variants:
        acting = (
            frozenset(variant.config.smoothing.layers),
            frozenset(variant.config.regularization.methods),
        )
        same = names.setdefault(acting, variant.name)
        if same != variant.name:
            raise ValueError(
                f"The variants {same} and {variant.name} are the same with this config,"
                f" {variant.describe()}: leave one out."
            )


def _check_machine(runtime):
    strategy = str(runtime.distribution_strategy).lower()
    if strategy not in _STRATEGIES or os.environ.get("TF_CONFIG"):
        raise ValueError(
            f"runtime.distribution_strategy is {strategy}"
            f"{' with TF_CONFIG' if os.environ.get('TF_CONFIG') else ''}: comparisons"
            f" run on one machine, by {' or '.join(_STRATEGIES)}."
        )


def _test_records(config, params):
    records = config.test_records or params.task.validation_data.input_path
    if not records:
        raise ValueError(
            "task.validation_data names no records to compare on: give --test_records."
        )
    return records


def _shared(params, model_config):
    """Returns what all runs share of an experiment's config, as JSON holds it."""
    shared = json.loads(json.dumps(params.as_dict()))
    shared["task"]["model"] = json.loads(model_config.to_json())
    # What another number of runs with other seeds does not change.
    del shared["task"]["seed"]
    # All have the same budget, whatever becomes of them.
    shared["trainer"]["early_stopping_patience"] = 0
    return shared


def _check_experiment(experiment, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        parse_experiment(
            types.SimpleNamespace(
                experiment=experiment,
                config_file=[file.name],
                params_override="",
                tpu="",
                mode="train_and_eval",
            )
        )


def _remarks(params, asked, shared, names):
    if asked.head != shared.head:
        yield (
            f"The config's head is {asked.head.type}, which has no final embeddings to"
            f" smooth: all variants, the baseline too, have a {shared.head.type} head."
        )
    methods = set(asked.regularization.methods)
    unnamed = sorted(methods - {part for name in names for part in name.split("+")})
    if unnamed:
        yield (
            f"The config's {' and '.join(unnamed)} acts in no variant, as none names"
            " it."
        )
    if params.trainer.early_stopping_patience:
        yield (
            "Early stopping is off, so that all variants are trained for the same"
            " number of steps."
        )
    if not params.trainer.best_checkpoint_export_subdir:
        yield (
            "No best checkpoint is kept: what is compared is the end of each training."
        )
