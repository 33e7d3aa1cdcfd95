"""Times a training step and a streamed frame of each variant, side by side."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from grw_tf.common.json_file import write_json
from grw_tf.common.paired_timing import Ratio, paired_ratio, time_in_turn
from grw_tf.export.benchmark.file_comparison import BenchmarkConfig, benchmark
from grw_tf.models import ModelConfig
from grw_tf.training.step_timing import make_batch, own_trainer, step_of

_FRAME = "frame"


@dataclasses.dataclass(frozen=True)
class Times:
    """What was timed of a variant; None where it was not. Ratios are to the baseline.

    Attributes:
        seconds_per_step, step_ratio: Of a training step.
        milliseconds_per_frame, frame_ratio: Of a frame of the exported file.
    """

    seconds_per_step: float | None = None
    step_ratio: Ratio | None = None
    milliseconds_per_frame: float | None = None
    frame_ratio: Ratio | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the times as JSON holds them."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Times":
        """Reads what `to_json` wrote."""
        ratios = {
            name: Ratio(**values[name])
            for name in ("step_ratio", "frame_ratio")
            if name in values
        }
        return cls(**values | ratios)


@dataclasses.dataclass(frozen=True)
class Timing:
    """What to time.

    Attributes:
        file: JSON file that gets the times.
        configs: Models by the names of variants, the baseline first.
        files: Exported files by the names of variants.
        batch_size: Clips of a training step.
        rounds: How often each is timed.
    """

    file: Path
    configs: dict[str, ModelConfig]
    files: dict[str, Path]
    batch_size: int
    rounds: int

    def settings(self) -> dict[str, Any]:
        """Returns what is timed, as JSON holds it."""
        return {
            "configs": {name: c.to_json() for name, c in self.configs.items()},
            "files": sorted(self.files),
            "batch_size": self.batch_size,
            "rounds": self.rounds,
        }

    def read(self) -> dict[str, Times]:
        """Returns the times by variant, {} if these were not taken yet."""
        try:
            content = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        if content["settings"] != self.settings():
            return {}
        return {name: Times.from_json(t) for name, t in content["times"].items()}


def take_times(timing: Timing) -> None:
    """Times training steps, and frames of exported files on one thread, in turn.

    All layers train, and the clips are noise: the cost does not depend on them.
    """
    first = next(iter(timing.configs))
    batch = make_batch(timing.configs[first], timing.batch_size)
    steps = {
        name: step_of(own_trainer(config, batch))
        for name, config in timing.configs.items()
    }
    seconds = time_in_turn(steps, timing.rounds)
    times = {
        name: Times(
            seconds_per_step=float(np.median(taken.wall)),
            step_ratio=_floats(paired_ratio(taken.wall, seconds[first].wall)),
        )
        for name, taken in seconds.items()
    }
    for name, frame in _frames(timing).items():
        times[name] = dataclasses.replace(
            times[name],
            milliseconds_per_frame=frame.median_ms,
            # The benchmark's ratios are to the first file.
            frame_ratio=_floats(frame.ratio) if first in timing.files else None,
        )
    content = {name: taken.to_json() for name, taken in times.items()}
    write_json(timing.file, {"settings": timing.settings(), "times": content})


def _frames(timing):
    if not timing.files:
        return {}
    names = {str(path): name for name, path in timing.files.items()}
    config = BenchmarkConfig(models=",".join(names), rounds=timing.rounds, threads="1")
    _, times = benchmark(config)
    return {names[each.file]: each for each in times if each.what == _FRAME}


def _floats(ratio):
    return Ratio(float(ratio.median), float(ratio.low), float(ratio.high))
