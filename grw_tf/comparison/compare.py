"""Runs what is missing of a comparison, and reports after each seed."""

import logging
import time

from grw_tf.common.child_process import failure_of
from grw_tf.common.json_file import write_json
from grw_tf.comparison.carry_out import carry_out
from grw_tf.comparison.findings import Findings
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.report import summarize, write_report
from grw_tf.comparison.run import FAILURE_FILE
from grw_tf.comparison.timing import take_times
from grw_tf.training.model_dir import claimed


def compare(plan: Plan, command: str) -> Findings:
    """Carries out the runs of a comparison that are not finished, and reports.

    Seeds are outermost, and a report follows each, so a report of fewer seeds is fair
    at any time; it quotes the command line. Each run has its own process. A run that
    failed is tried again next time.

    Returns:
        The findings in the last report.

    Raises:
        ValueError: If another comparison is or was there.
        OSError: If something cannot be written.
    """
    with claimed(str(plan.folder), "--output_dir"):
        plan.claim()
        missing = [run for run in plan.runs() if not run.finished]
        if not missing:
            print("All runs have finished before: the report is written anew.")
        done, start = 0, time.monotonic()
        for number, seed in enumerate(plan.seeds, start=1):
            runs = [plan.run(variant, seed) for variant in plan.variants]
            for run in runs:
                if run.finished:
                    continue
                left = ""
                if done:
                    minutes = (time.monotonic() - start) / 60 / done
                    left = f", about {minutes * (len(missing) - done):.0f} min left"
                done += 1
                print(f"Run {done} of {len(missing)}: {run.title}{left}.", flush=True)
                plan.prepare(run)
                (run.folder / FAILURE_FILE).unlink(missing_ok=True)
                if reason := failure_of(carry_out, run):
                    write_json(run.folder / FAILURE_FILE, {"reason": reason})
                    logging.warning("%s failed: %s", run.title, reason)
            if number < len(plan.seeds) and any(run in missing for run in runs):
                findings = write_report(plan, plan.seeds[:number], command)
                print(f"{summarize(findings)}\n", flush=True)
        _time(plan)
        findings = write_report(plan, plan.seeds, command)
        print(summarize(findings), flush=True)
    return findings


def _time(plan):
    timing = plan.timing()
    finished = any(run.finished for run in plan.runs())
    if not finished or not timing.rounds or timing.read():
        return
    print("Timing training steps and exported files side by side.", flush=True)
    if reason := failure_of(take_times, timing):
        logging.warning("Nothing could be timed: %s", reason)
