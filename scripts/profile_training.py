"""Shows which operations take the time of a training step, and how near to the limits.

    python -m scripts.profile_training
    python -m scripts.profile_training --model_id=a0 --frames=16 --size=112 --threads=1

The limits are those of this machine, measured at the same time: of arithmetic (GFLOP/s)
in a product of large matrices, and of memory (GB/s) in a sum. The bytes of an operation
are those of its inputs and outputs; small ones stay in the processor's caches, so they
can be faster than the memory.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from grw_tf.common import flags, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.text_table import text_table
from grw_tf.cost_table.step_profile import Cost, Limits, measure_limits, profile_step
from grw_tf.models import block_specs, presets
from grw_tf.training import step_timing

_LISTED = 12


@dataclasses.dataclass(frozen=True)
class Options:
    """What to profile. Each field is a flag."""

    model_id: str = option("a0", "ID of the MoViNet.")
    causal: bool = option(
        True, "Whether to profile the stream model instead of the base model."
    )
    size: int = option(0, "Pixels of a frame. 0: those of the model.")
    frames: int = option(0, "Frames of a clip. 0: those of the model.")
    batch_size: int = option(2, "Clips per step.")
    steps: int = option(5, "Profiled steps; an operation counts with its fastest.")
    threads: int = option(0, "Threads of an operation. 0: TensorFlow's choice.")


def profile(options: Options) -> tuple[Limits, dict[str, Cost]]:
    """Measures the limits, and the costs by type of operation.

    Raises:
        ValueError: If an option is invalid.
    """
    block_specs.check_model_id(options.model_id)
    check_positive(batch_size=options.batch_size, steps=options.steps)
    official = presets.official_config(options.model_id, options.causal)
    config = dataclasses.replace(
        official,
        size=options.size or official.size,
        frames=options.frames or official.frames,
    )
    batch = step_timing.make_batch(config, options.batch_size)
    trainer = step_timing.own_trainer(config, batch)
    traced = step_timing.trace_step(trainer)
    step = step_timing.step_of(trainer, traced)
    step()
    return measure_limits(), profile_step(step, traced.graph, options.steps)


def report(limits: Limits, costs: Mapping[str, Cost]) -> str:
    """Returns a table of the slowest types of operations."""
    total = sum(cost.seconds for cost in costs.values())
    rows: list[tuple] = [("operation", "number", "ms", "share", "GFLOP/s", "GB/s")]
    listed = list(costs.items())[:_LISTED]
    for kind, cost in listed:
        rows.append(
            (
                kind,
                cost.count,
                f"{1e3 * cost.seconds:.1f}",
                f"{cost.seconds / total:.1%}",
                f"{cost.flops / cost.seconds / 1e9:.1f}" if cost.flops else "",
                f"{cost.bytes / cost.seconds / 1e9:.1f}" if cost.bytes else "",
            )
        )
    others = list(costs.values())[_LISTED:]
    rest = sum(cost.seconds for cost in others)
    number = sum(cost.count for cost in others)
    rows.append(("others", number, f"{1e3 * rest:.1f}", f"{rest / total:.1%}", "", ""))
    flops, size = (
        sum(getattr(cost, name) for cost in costs.values()) / 1e9
        for name in ("flops", "bytes")
    )
    arithmetic, traffic = flops / limits.gflops, size / limits.gigabytes
    return "\n".join(
        (
            text_table(rows),
            f"limits: {limits.gflops:.1f} GFLOP/s, {limits.gigabytes:.1f} GB/s",
            f"all: {1e3 * total:.0f} ms for {flops:.1f} GFLOP and {size:.1f} GB, which"
            f" at the limits take {1e3 * arithmetic:.0f} ms ({arithmetic / total:.0%})"
            f" and {1e3 * traffic:.0f} ms ({traffic / total:.0%})",
        )
    )


def main(_: Sequence[str]) -> None:
    """Profiles and reports."""
    options = flags.config_from_flags(Options)
    if options.threads:
        check_positive(threads=options.threads)
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        # Operations that run side by side would slow each other down.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    print(report(*profile(options)))


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
