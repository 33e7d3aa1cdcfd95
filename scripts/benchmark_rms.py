"""Times a training step with and without Random Mean Scaling.

    python -m scripts.benchmark_rms --preset=a0_stream --frames=16 --size=112
    python -m scripts.benchmark_rms --preset=slowonly_50 --size=112

All forms take the same batch through the compiled step of the trainer, in turn in one
process. The cost of RMS is the median of paired ratios over rounds, with its 95 %
interval, of wall-clock time and of CPU time. At inference, RMS adds nothing: the
operation types of the graphs are compared in order.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tqdm

from grw_tf.common import flags, paired_timing, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.evaluation.rms_options import RMSOptions, listed
from grw_tf.layers.random_mean_scaling import FILTERS
from grw_tf.models import RegularizationConfig, preset
from grw_tf.training import step_timing

PLAIN = "without"


@dataclasses.dataclass(frozen=True)
class Options(RMSOptions):
    """What to time. Each field is a flag."""

    preset: str = option("a0_stream", "Name of the model.")
    size: int = option(0, "Pixels of a frame. 0: those of the model.")
    frames: int = option(0, "Frames of a clip. 0: those of the model.")
    batch_size: int = option(2, "Clips per step.")
    rounds: int = option(20, "Timed steps of each form.")
    filters: str = option(",".join(FILTERS), "Filters to time, separated by commas.")


def configs_of(options):
    """Returns the configs of the models, by the names of the forms.

    Raises:
        ValueError: If no model can have the options.
    """
    check_positive(batch_size=options.batch_size, rounds=options.rounds)
    plain = preset(options.preset)
    plain = dataclasses.replace(
        plain,
        size=options.size or plain.size,
        frames=options.frames or plain.frames,
    )
    configs = {PLAIN: plain}
    for filter in listed(options.filters):
        chosen = RegularizationConfig(methods=("rms",), rms=options.rms(filter))
        configs[f"RMS, {filter} filter"] = dataclasses.replace(
            plain, regularization=chosen
        )
    if len(configs) == 1:
        raise ValueError(f"filters is empty: give any of {', '.join(FILTERS)}.")
    return configs


def inference_operations(model):
    """Returns the types of a model's operations at inference, in the graph's order."""
    config = model.config
    clips = tf.TensorSpec((1, config.frames, config.size, config.size, 3))
    run = tf.function(lambda clips: model(clips, training=False), autograph=False)
    graph = run.get_concrete_function(clips).graph
    return [operation.type for operation in graph.get_operations()]


def time_steps(configs, options):
    """Returns each form's `Seconds` of all rounds, and operations at inference.

    Args:
        configs: Of `configs_of`.
        options: `Options`.
    """
    batch = step_timing.make_batch(configs[PLAIN], options.batch_size)
    steps, operations = {}, {}
    for form, config in tqdm.tqdm(configs.items(), "Compiling", unit="form"):
        trainer = step_timing.own_trainer(config, batch)
        operations[form] = inference_operations(trainer.model)
        steps[form] = step_timing.step_of(trainer)
    return paired_timing.time_in_turn(steps, options.rounds), operations


def report(options, seconds, operations):
    """Returns the table of times and of what RMS adds, in per cent."""
    config = configs_of(options)[PLAIN]
    lines = [
        f"{options.preset}, clips [{options.batch_size}, {config.frames},"
        f" {config.size}, {config.size}, 3], {options.rounds} steps of each",
        f"{'training step':22} wall ms   CPU ms    added by wall, 95 % interval"
        "    by CPU, 95 % interval",
    ]
    for form, each in seconds.items():
        wall, cpu = (1e3 * np.median(values) for values in each)
        added = "" if form == PLAIN else _added(each, seconds[PLAIN])
        lines.append(f"{form:20}{wall:10.1f}{cpu:9.1f}{added}")
    plain = operations[PLAIN]
    for form, found in operations.items():
        if form != PLAIN:
            what = f"{len(found)} operations at inference, {len(plain)} without"
            if found == plain:
                what = f"the same {len(plain)} operations at inference as without"
            lines.append(f"{form}: {what}.")
    return "\n".join(lines)


def _added(over, under):
    ratios = map(paired_timing.paired_ratio, over, under)
    return "".join(
        f"    {100 * (r.median - 1):+6.1f} %  {100 * (r.low - 1):+6.1f} .."
        f" {100 * (r.high - 1):+6.1f} %"
        for r in ratios
    )


def main(_: Sequence[str]) -> None:
    """Times and reports."""
    options = flags.config_from_flags(Options)
    tf.random.set_seed(0)
    print(report(options, *time_steps(configs_of(options), options)))


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
