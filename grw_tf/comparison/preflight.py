"""Plans a comparison, and checks its inputs before the first run."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from grw_tf.common.output_folder import check_writable
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.fragments import read_fragments
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.variants import make_variants
from grw_tf.data.clip_set import ClipSet
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task

_STRATEGIES = ("one_device", "mirrored")


def make_plan(options: Any, config: ComparisonConfig) -> Plan:
    """Plans a comparison, and checks its inputs.

    Args:
        options: The Model Garden's flags experiment, config_file, params_override and
            tpu.
        config: What to compare.

    Raises:
        ValueError: If the experiment, a variant or the clips are invalid.
        OSError: If something cannot be read or written.
    """
    # The runs' own processes need the GPUs, and TensorFlow keeps those it has used.
    tf.config.set_visible_devices([], "GPU")
    check_writable(Path(config.output_dir))
    fragments = read_fragments(config.variants)
    params = parse_experiment(options)
    _check_machine(params.runtime)
    variants = make_variants(fragments, _shared(params), options.experiment)
    class_names = Task(params.task).open_sources(train=True, evaluate=True)
    test_clips = _test_clips(config, params.task.validation_data)
    test_classes = test_clips.open(variants[0].config).class_names
    if test_classes != class_names:
        raise ValueError(
            f"{test_clips} has other classes than the clips to train on: make the"
            " records together, or with the same --labels."
        )
    seed = params.task.seed
    return Plan(
        config=config,
        experiment=options.experiment,
        variants=variants,
        seeds=tuple(range(seed, seed + config.seeds)),
        test_clips=test_clips,
        class_names=tuple(class_names),
        remarks=tuple(_remarks(params, variants)),
    )


def _check_machine(runtime):
    strategy = str(runtime.distribution_strategy).lower()
    if strategy not in _STRATEGIES or os.environ.get("TF_CONFIG"):
        raise ValueError(
            f"runtime.distribution_strategy is {strategy}"
            f"{' with TF_CONFIG' if os.environ.get('TF_CONFIG') else ''}: comparisons"
            f" run on one machine, by {' or '.join(_STRATEGIES)}."
        )


def _test_clips(config, validation):
    if config.test_records:
        return ClipSet(input_path=config.test_records)
    clips = ClipSet.of(validation.as_dict())
    if config.test_tfds_split:
        if not clips.tfds_name:
            raise ValueError(
                f"--test_tfds_split={config.test_tfds_split}, but task.validation_data"
                " names no TFDS data set: give --test_records."
            )
        return dataclasses.replace(clips, tfds_split=config.test_tfds_split)
    if not clips:
        raise ValueError(
            "task.validation_data names no clips to compare on: give --test_records."
        )
    return clips


def _shared(params):
    """Returns the experiment that variants change, as JSON holds it."""
    shared = json.loads(json.dumps(params.as_dict()))
    # All have the same budget, whatever becomes of them.
    shared["trainer"]["early_stopping_patience"] = 0
    return shared


def _remarks(params, variants):
    asked, head = params.task.model, variants[0].config.head
    if asked.head.type != head.type:
        yield (
            f"The config's head is {asked.head.type}, and a variant sets another: all"
            f" variants, the baseline too, have a {head.type} head."
        )
    elif asked.head.as_dict() != dataclasses.asdict(head):
        yield (
            "A variant changes the config's head: all variants, the baseline too, have"
            " the changed one."
        )
    layers = {*asked.smoothing.layers}
    layers -= {place for v in variants for place in v.config.smoothing.layers}
    methods = {*asked.regularization.methods}
    methods -= {name for v in variants for name in v.config.regularization.methods}
    for what, unnamed in (("smoothing of ", layers), ("", methods)):
        if unnamed:
            told = what + " and ".join(sorted(unnamed))
            yield f"The config's {told} acts in no variant, as none names it."
    if params.trainer.early_stopping_patience:
        yield (
            "Early stopping is off, so that all variants are trained for the same"
            " number of steps."
        )
    if not params.trainer.best_checkpoint_export_subdir:
        yield (
            "No best checkpoint is kept: what is compared is the end of each training."
        )
