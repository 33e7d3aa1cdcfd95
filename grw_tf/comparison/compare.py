"""Runs what is missing of a comparison, and reports after each seed."""

import logging
import time

from grw_tf.common.child_process import failure_of
from grw_tf.common.json_file import write_json
from grw_tf.comparison.carry_out import carry_out
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.report import write_report
from grw_tf.comparison.run import FAILURE_FILE
from grw_tf.comparison.timing import take_times
from grw_tf.training.model_dir import claimed


def compare(plan: Plan, command: str) -> list[str]:
    """Carries out the runs of a comparison that are not finished, and reports.

    Seeds are outermost, and after each there is a report, so that a report of fewer
    seeds is fair at any time. Each run has its own process.

    Args:
        plan: The comparison.
        command: The command line that asked for it, for the report.

    Returns:
        Why runs failed, one line each; the same command tries them again.

    Raises:
        ValueError: If another comparison is or was there.
        OSError: If something cannot be written.
    """
    with claimed(plan.folder, "--output_dir"):
        plan.claim()
        missing = [run for run in plan.runs() if not run.finished]
        if not missing:
            print("All runs have finished before: the report is written anew.")
        progress = _Progress(len(missing))
        reported = None
        for number, seed in enumerate(plan.seeds, start=1):
            runs = [plan.run(variant, seed) for variant in plan.variants]
            for run in runs:
                if run.finished:
                    continue
                progress.begin(run)
                plan.prepare(run)
                (run.folder / FAILURE_FILE).unlink(missing_ok=True)
                if reason := failure_of(carry_out, run):
                    write_json(run.folder / FAILURE_FILE, {"reason": reason})
                    logging.warning("%s failed: %s", run.title, reason)
                progress.end()
            if number < len(plan.seeds) and any(run in missing for run in runs):
                reported = write_report(plan, plan.seeds[:number], command)
                print(f"{reported.summary}\n", flush=True)
        _time(plan)
        reported = write_report(plan, plan.seeds, command)
        print(reported.summary, flush=True)
    return [f"{run.title}: {run.failure()}" for run in plan.runs() if run.failure()]


def _time(plan):
    timing = plan.timing()
    finished = any(run.finished for run in plan.runs())
    if not finished or not timing.rounds or timing.read():
        return
    print("Timing training steps and exported files side by side.", flush=True)
    if reason := failure_of(take_times, timing):
        logging.warning("Nothing could be timed: %s", reason)


class _Progress:
    """Says which run begins, of how many, and how long the rest will take."""

    def __init__(self, total):
        self._total = total
        self._done = 0
        self._start = time.monotonic()

    def begin(self, run):
        left = ""
        if self._done:
            each = (time.monotonic() - self._start) / self._done
            left = f", about {each * (self._total - self._done) / 60:.0f} min left"
        print(f"Run {self._done + 1} of {self._total}: {run.title}{left}.", flush=True)

    def end(self):
        self._done += 1
