r"""Answers whether smoothing and regularizers help on your clips.

    grw-compare --config_file=configs/own_clips.yaml \
        --params_override=task.model.num_classes=10 \
        --variants=baseline,grw,grw_intermediate,rms,grw+rms --seeds=5 \
        --test_records='records/test-*.tfrecord' --output_dir=runs/compare

--experiment, --config_file and --params_override are those of grw-train. A variant
is an overlay in configs/ by its name, or any YAML file by its path; all else is equal:
for each seed, all variants start from the same weights and see the same clips in the
same order for the same number of steps.

OUTPUT_DIR gets report.html, which needs no network, and report.json, anew after each
seed. If the comparison is killed, rerun the same command: it resumes. With more seeds
or other variants, it runs only what is missing. The exit status is 1 if a run failed,
and 75 if --minutes were over before the end.
"""

import os
import shlex
import sys

from absl import flags as absl_flags
from official.common import flags as tfm_flags

from grw_tf.common import flags, programs
from grw_tf.comparison.compare import compare
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.preflight import make_plan
from grw_tf.training.controller import OutOfTime

_OUTPUT = "give --output_dir, which gets all runs"


def define_flags() -> None:
    tfm_flags.define_flags()
    absl_flags.FLAGS.set_default("experiment", "movinet_a0_stream")
    for name in ("experiment", "config_file", "params_override"):
        absl_flags.declare_key_flag(name)
    flags.define_flags(ComparisonConfig)


def main(_: list[str]) -> int:
    for name, instead in (("mode", "runs train and evaluate"), ("model_dir", _OUTPUT)):
        if absl_flags.FLAGS[name].present:
            raise ValueError(f"--{name} does nothing here: {instead}.")
    config = flags.config_from_flags(ComparisonConfig)
    plan = make_plan(absl_flags.FLAGS, config)
    command = f"{programs.called_as('grw-compare')} {shlex.join(sys.argv[1:])}"
    try:
        findings = compare(plan, command)
    except OutOfTime as stopped:
        print(f"{stopped} The same command resumes.")
        return os.EX_TEMPFAIL
    print(f"Written to {config.output_dir}/report.html.")
    if failures := findings.failures():
        sys.exit("\n".join(["Some runs failed:", *failures]))
    return os.EX_OK
