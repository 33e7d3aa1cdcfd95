"""Runs what is missing of a comparison, and reports after each seed."""

import functools
import logging
import math
import time

from grw_tf.common.child_process import failure_of
from grw_tf.common.json_file import write_json
from grw_tf.comparison.carry_out import carry_out
from grw_tf.comparison.durations import work_left
from grw_tf.comparison.findings import Findings
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.report import summarize, write_report
from grw_tf.comparison.run import FAILURE_FILE
from grw_tf.comparison.timing import take_times
from grw_tf.training.controller import OutOfTime
from grw_tf.training.model_dir import claimed


def compare(plan: Plan, command: str) -> Findings:
    """Carries out the runs of a comparison that are not finished, and reports.

    Seeds are outermost, and a report follows each, so a report of fewer seeds is fair
    at any time; it quotes the command line. Each run has its own process. A run that
    failed is tried again next time.

    Returns:
        The findings in the last report.

    Raises:
        OutOfTime: If the minutes of the config are over. A report of what has finished
            is written, and the message says what is left.
        ValueError: If another comparison is or was there.
        OSError: If something cannot be written.
    """
    minutes = plan.config.minutes
    stop_at = time.time() + 60 * minutes if minutes else math.inf
    with claimed(str(plan.folder), "--output_dir"):
        plan.claim()
        missing = [run for run in plan.runs() if not run.finished]
        if not missing:
            print("All runs have finished before: the report is written anew.")
        for number, run in enumerate(missing):
            # The first one begins whatever the time, so that every start gets on.
            if number and time.time() >= stop_at:
                raise _stopped(plan, missing[number:], command)
            print(f"Run {number + 1} of {len(missing)}: {run.title}.", flush=True)
            plan.prepare(run)
            (run.folder / FAILURE_FILE).unlink(missing_ok=True)
            work = functools.partial(carry_out, stop_at=stop_at)
            if reason := failure_of(work, run):
                write_json(run.folder / FAILURE_FILE, {"reason": reason})
                logging.warning("%s failed: %s", run.title, reason)
            elif not run.finished:
                raise _stopped(plan, missing[number:], command)
            if later := missing[number + 1 :]:
                print(f"{_left(plan, later)}.", flush=True)
                if later[0].seed != run.seed:
                    print(f"{_report_until(plan, run.seed, command)}\n", flush=True)
        if _is_to_time(plan):
            if missing and time.time() >= stop_at:
                raise _stopped(plan, [], command)
            _time(plan)
        findings = write_report(plan, plan.seeds, command)
        print(summarize(findings), flush=True)
    return findings


def _report_until(plan, seed, command):
    """Writes the report of the seeds up to one of them, and returns its summary."""
    seeds = [each for each in plan.seeds if each <= seed]
    return summarize(write_report(plan, seeds, command))


def _left(plan, runs):
    """Returns what is left if these runs are."""
    finished = [run for run in plan.runs() if run.finished]
    steps = plan.baseline.experiment["trainer"]["train_steps"]
    left = work_left([*finished, *runs], steps)
    if not _is_to_time(plan):
        return str(left)
    return f"{left}, and then the timing" if runs else "only the timing remains"


def _stopped(plan, runs, command):
    """Reports what has finished, and returns the error that says what is left."""
    seed = runs[0].seed if runs else plan.seeds[-1]
    print(_report_until(plan, seed, command), flush=True)
    return OutOfTime(f"Stopped after {plan.config.minutes:g} min: {_left(plan, runs)}.")


def _is_to_time(plan):
    timing = plan.timing()
    finished = any(run.finished for run in plan.runs())
    return bool(finished and timing.rounds and not timing.read())


def _time(plan):
    print("Timing training steps and exported files side by side.", flush=True)
    if reason := failure_of(take_times, plan.timing()):
        logging.warning("Nothing could be timed: %s", reason)
