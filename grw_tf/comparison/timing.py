"""What a training step and a streamed frame cost, variants side by side."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from grw_tf.common.json_file import write_json
from grw_tf.common.paired_timing import paired_ratio, time_in_turn
from grw_tf.export.benchmark.file_comparison import BenchmarkConfig, benchmark
from grw_tf.models import ModelConfig
from grw_tf.training.step_timing import make_batch, own_trainer, step_of

_FRAME = "frame"


@dataclasses.dataclass(frozen=True)
class Timing:
    """What to time.

    Attributes:
      file: JSON that gets the times.
      configs: models by the names of variants, the baseline first.
      files: exported files by the names of variants.
      batch_size: clips of a training step.
      rounds: turns of each.
    """

    file: Path
    configs: dict[str, ModelConfig]
    files: dict[str, Path]
    batch_size: int
    rounds: int

    def settings(self) -> dict:
        """Returns what was timed, as JSON has it."""
        return {
            "configs": {name: c.to_json() for name, c in self.configs.items()},
            "files": sorted(self.files),
            "batch_size": self.batch_size,
            "rounds": self.rounds,
        }

    def read(self) -> dict:
        """Returns the times by variant, {} if these were not taken yet."""
        try:
            content = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        return content["times"] if content["settings"] == self.settings() else {}


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
        name: {
            "seconds_per_step": float(np.median(taken.wall)),
            "step_ratio": _numbers(paired_ratio(taken.wall, seconds[first].wall)),
        }
        for name, taken in seconds.items()
    }
    for name, frame in _frames(timing).items():
        times[name]["milliseconds_per_frame"] = frame.median_ms
        # Ratios are to the first file.
        if first in timing.files:
            times[name]["frame_ratio"] = _numbers(frame.ratio)
    write_json(timing.file, {"settings": timing.settings(), "times": times})


def _frames(timing):
    if not timing.files:
        return {}
    names = {str(path): name for name, path in timing.files.items()}
    config = BenchmarkConfig(models=",".join(names), rounds=timing.rounds, threads="1")
    _, times = benchmark(config)
    return {names[each.file]: each for each in times if each.what == _FRAME}


def _numbers(ratio):
    return {name: float(value) for name, value in dataclasses.asdict(ratio).items()}
