"""Times a training step and a streamed frame of each variant, in turn."""

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
    """Times of a variant's training step and of a frame of its exported file.

    Ratios are to the baseline; None is what was not timed.
    """

    seconds_per_step: float | None = None
    step_ratio: Ratio | None = None
    milliseconds_per_frame: float | None = None
    frame_ratio: Ratio | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """What to time.

    Attributes:
        file: The JSON file for the times.
        configs: Models by the names of variants, the baseline first.
        files: Exported files by the names of variants.
        batch_size: Clips in a training step.
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
        """Returns the times by variant; {} if these have not been taken yet."""
        try:
            content = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        if content["settings"] != self.settings():
            return {}
        return {name: _times(row) for name, row in content["times"].items()}


def _times(row: dict[str, Any]) -> Times:
    ratios: dict[str, Any] = {k: Ratio(**v) for k, v in row.items() if "ratio" in k}
    return Times(**row | ratios)


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
    baseline = np.asarray(seconds[first].wall)
    times = {
        name: {
            "seconds_per_step": float(np.median(taken.wall)),
            "step_ratio": _floats(paired_ratio(np.asarray(taken.wall), baseline)),
        }
        for name, taken in seconds.items()
    }
    for name, frame in _frames(timing).items():
        times[name]["milliseconds_per_frame"] = frame.median_ms
        # The benchmark's ratios are to the first file.
        if first in timing.files:
            times[name]["frame_ratio"] = _floats(frame.ratio)
    write_json(timing.file, {"settings": timing.settings(), "times": times})


def _frames(timing):
    if not timing.files:
        return {}
    names = {str(path): name for name, path in timing.files.items()}
    config = BenchmarkConfig(models=",".join(names), rounds=timing.rounds, threads="1")
    _, times = benchmark(config)
    return {names[each.file]: each for each in times if each.what == _FRAME}


def _floats(ratio):
    return {end: float(value) for end, value in vars(ratio).items()}
