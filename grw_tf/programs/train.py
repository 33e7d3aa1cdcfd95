r"""Trains and evaluates an experiment of the Model Garden's factory.

    grw-train --experiment=movinet_a0_stream --mode=train_and_eval \
        --config_file=configs/own_clips.yaml --config_file=configs/grw.yaml \
        --model_dir=runs/own

The flags are those of the Model Garden's training drivers, and two that print instead
of training: --print_config the resolved config, --print_memory how many clips of it fit
into a GPU. If training is killed, rerun the same command: it resumes from the last
checkpoint in --model_dir and ends with the same weights.
"""

from typing import Any

from absl import flags
from official.common import flags as tfm_flags

from grw_tf.cost_table.training_memory import memory_text
from grw_tf.training.driver import run_experiment
from grw_tf.training.experiments.parsing import parse_recipe
from grw_tf.training.experiments.recipe_text import recipe_text
from grw_tf.training.progress import results_table


def define_flags() -> None:
    tfm_flags.define_flags()
    flags.DEFINE_bool(
        "print_config",
        False,
        "Print the resolved config as YAML that --config_file takes, with the source of"
        " each value, and exit.",
    )
    flags.DEFINE_bool(
        "print_memory",
        False,
        "Print the memory of a training step, by estimate from its graph, and the"
        " largest batches of common GPUs, and exit.",
    )
    flags.mark_flag_as_required("experiment")
    for flag in ("mode", "model_dir"):
        flags.register_multi_flags_validator(
            [flag, "print_config", "print_memory"],
            # One of them prints, or this flag is given.
            lambda values: any(value not in (None, False) for value in values.values()),
            message=f"Flag --{flag} must have a value other than None.",
        )


def main(_: Any) -> None:
    if flags.FLAGS.print_config:
        print(recipe_text(parse_recipe(flags.FLAGS)), end="")
        return
    if flags.FLAGS.print_memory:
        print(memory_text(parse_recipe(flags.FLAGS).params))
        return
    _, results = run_experiment(flags.FLAGS)
    if results:
        print(results_table(results))
    print(f"Written to {flags.FLAGS.model_dir}.")
