"""How long the runs of a comparison take, and what is left to do."""

import dataclasses
import json
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from grw_tf.common.json_file import write_json
from grw_tf.comparison.run import Run

_WORK_FILE = "work.json"
# TensorFlow writes it with each checkpoint.
_STATE_FILE = "checkpoint"


@dataclasses.dataclass(frozen=True)
class WorkLeft:
    """What is left of a comparison.

    Attributes:
        runs: The number of unfinished runs.
        seconds: About how long they take; None if nothing tells yet.
    """

    runs: int
    seconds: float | None

    def __str__(self) -> str:
        runs = f"{self.runs} run{' remains' if self.runs == 1 else 's remain'}"
        if self.seconds is None:
            return f"{runs}; how long they take is not known yet"
        return f"{runs}, about {_time_text(self.seconds)}"


def begin_work(run: Run) -> None:
    """Notes that a process begins, or goes on with, a run."""
    write_json(
        run.folder / _WORK_FILE,
        {"seconds": seconds_spent(run), "began": time.time()},
    )


def end_work(run: Run) -> float:
    """Returns how long a run took that ends now, in seconds over all its processes."""
    work = _read(run)
    return work["seconds"] + time.time() - work["began"]


def seconds_spent(run: Run) -> float:
    """Returns the time spent on an unfinished run, up to its last checkpoint.

    What came later was lost with the process.
    """
    work, state = _read(run), run.folder / _STATE_FILE
    if work is None:
        return 0.0
    if not state.exists():
        return work["seconds"]
    return work["seconds"] + max(0.0, state.stat().st_mtime - work["began"])


def steps_done(run: Run) -> int:
    """Returns the step of a run's last checkpoint, 0 without one."""
    checkpoint = tf.train.latest_checkpoint(run.folder)
    return int(checkpoint.rsplit("-", 1)[1]) if checkpoint else 0


def work_left(runs: Sequence[Run], train_steps: int) -> WorkLeft:
    """Returns what is left of runs, by the time that the finished ones took.

    Before any has finished, the steps done of `train_steps` tell the time.
    """
    unfinished = [run for run in runs if not run.finished]
    took = [run.measures().get("seconds") for run in runs if run.finished]
    known = [seconds for seconds in took if seconds is not None]
    known = known or [
        seconds_spent(run) * train_steps / steps
        for run in unfinished
        if not run.measured and (steps := steps_done(run))
    ]
    if not known:
        return WorkLeft(len(unfinished), None)
    # The runs of the first seed export files, too.
    each = float(np.median(known))
    left = [max(0.0, each - seconds_spent(run)) for run in unfinished]
    return WorkLeft(len(unfinished), sum(left))


def _time_text(seconds):
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _read(run):
    file = run.folder / _WORK_FILE
    return json.loads(file.read_text()) if file.exists() else None
