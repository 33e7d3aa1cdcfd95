"""Times a training step of the Model Garden's model, ours, and ours with smoothing.

    python -m scripts.benchmark_training
    python -m scripts.benchmark_training --model_id=a0 --frames=16 --size=112
    python -m scripts.benchmark_training --causal=false --inference --forms=a,b
    python -m scripts.benchmark_training --model_id=a2 --forms=r

All forms take the same batch through the compiled step of the trainer, with AdamW,
cosine schedules and a moving average, in turn in one process. `b'` and `c` have the
transformer head of the published GRW models, the others the official head. `r` computes
blocks again in the backward pass. Ratios are medians over rounds, of wall-clock time
and of CPU time. The peak of memory is that of the process, so give one form to measure
its own.
"""

import dataclasses
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from grw_tf.common import flags, paired_timing, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.models import ModelConfig, SmoothingConfig, block_specs, presets
from grw_tf.training import step_timing
from grw_tf.weights.model_variables import with_backbone

PAIRS = (
    ("b", "a", "our model against the Model Garden's"),
    ("c", "b'", "GRW on the final embeddings against none"),
    ("d", "b", "GRW inside the backbone against none"),
    ("b'", "b", "the transformer head against the official one"),
    ("r", "b", "recomputed blocks against kept activations"),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What to time. Each field is a flag."""

    model_id: str = option("a0", "ID of the MoViNet.")
    causal: bool = option(
        True, "Whether to time the stream model instead of the base model."
    )
    size: int = option(0, "Pixels of a frame. 0: those of the model.")
    frames: int = option(0, "Frames of a clip. 0: those of the model.")
    batch_size: int = option(2, "Clips per step.")
    rounds: int = option(20, "Timed steps of each form.")
    forms: str = option("a,b,b',c,d", "By commas: the forms to time.")
    inference: bool = option(
        False, "Whether to time the models' inference of a batch instead of a step."
    )


def configs_of(options: Options) -> dict[str, ModelConfig]:
    """Returns the configs of the models, by the letters of the forms.

    Raises:
        ValueError: If no model can have the options, or there is no such form.
    """
    block_specs.check_model_id(options.model_id)
    check_positive(batch_size=options.batch_size, rounds=options.rounds)
    official = presets.official_config(options.model_id, options.causal)
    published = presets.published_config(options.model_id, options.causal)
    clips: dict[str, Any] = {
        "size": options.size or official.size,
        "frames": options.frames or official.frames,
        "frame_fit": official.frame_fit,
    }
    place = block_specs.endpoint_names(options.model_id)[-2]
    inside = dataclasses.replace(published.smoothing, layers=(place,))
    configs = {
        "a": official,
        "b": official,
        "b'": dataclasses.replace(published, smoothing=SmoothingConfig()),
        "c": published,
        "d": dataclasses.replace(official, smoothing=inside),
        "r": with_backbone(official, recompute=True),
    }
    forms = options.forms.split(",")
    if unknown := [form for form in forms if form not in configs]:
        raise ValueError(
            f"--forms={options.forms}: there is no form {unknown[0]!r}; the forms are"
            f" {', '.join(configs)}."
        )
    return {
        # The Model Garden has a name only for this stream gate.
        form: dataclasses.replace(
            configs[form],
            **clips,
            backbone=dataclasses.replace(
                configs[form].backbone,
                gating_activation="hard_sigmoid_relu6" if options.causal else "sigmoid",
            ),
        )
        for form in forms
    }


def time_steps(
    configs: Mapping[str, ModelConfig], options: Options
) -> dict[str, paired_timing.Seconds]:
    """Returns the `Seconds` of each round, by the letters of the forms.

    Args:
        configs: Result of `configs_of`, or a part of it.
        options: What to time.
    """
    batch = step_timing.make_batch(next(iter(configs.values())), options.batch_size)
    steps = {}
    for form, config in tqdm.tqdm(configs.items(), "Compiling", unit="form"):
        make = step_timing.official_trainer if form == "a" else step_timing.own_trainer
        trainer = make(config, batch)
        steps[form] = (
            step_timing.inference_of(trainer.model, batch)
            if options.inference
            else step_timing.step_of(trainer)
        )
    return paired_timing.time_in_turn(steps, options.rounds)


def report(options: Options, seconds: Mapping[str, paired_timing.Seconds]) -> str:
    """Returns the tables of times and ratios."""
    config = next(iter(configs_of(options).values()))
    names = {
        "a": "Model Garden's classifier and task",
        "b": "ours, official head, no smoothing",
        "b'": "ours, transformer head, no smoothing",
        "c": "ours, transformer head, GRW final",
        "d": "ours, official head, GRW at the last block",
        "r": "ours, official head, recomputed blocks",
    }
    kind = "stream" if options.causal else "base"
    lines = [
        f"{options.model_id} {kind}, clips [{options.batch_size}, {config.frames},"
        f" {config.size}, {config.size}, 3], {options.rounds}"
        f" {'inferences' if options.inference else 'steps'} of each",
        f"{'form':44} wall ms   CPU ms",
    ]
    for form, values in seconds.items():
        wall, cpu = (1e3 * np.median(each) for each in values)
        lines.append(f"{form:3} {names[form]:39}{wall:9.1f}{cpu:9.1f}")
    lines.append("ratio   by wall, 95 % interval  by CPU, 95 % interval")
    for over, under, meaning in PAIRS:
        if over not in seconds or under not in seconds:
            continue
        wall, cpu = map(paired_timing.paired_ratio, seconds[over], seconds[under])
        lines.append(f"{f'{over}/{under}':6}  {wall}     {cpu}    {meaning}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines.append(f"peak of memory: {peak:.2f} GiB")
    return "\n".join(lines)


def main(_: Sequence[str]) -> None:
    """Times and reports."""
    options = flags.config_from_flags(Options)
    tf.random.set_seed(0)
    print(report(options, time_steps(configs_of(options), options)))


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
