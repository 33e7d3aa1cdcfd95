"""What to compare."""

import dataclasses
import math

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.export.quantization.quantize import AUTO, MODES


@dataclasses.dataclass(frozen=True)
class ComparisonConfig:
    """What to compare; each field is a flag.

    Raises:
        ValueError: At construction, for values that make no sense.
    """

    variants: str = option(
        "baseline,grw",
        "By commas: the names of overlays in configs/ (grw, grw_intermediate, rms, ...)"
        " or paths of YAML files; + joins several, as in grw+rms; a value after : is"
        " set below task.model, as in grw:smoothing.weight=0.01. The baseline, without"
        " smoothing or regularization, always runs.",
    )
    seeds: int = option(
        5, "Number of seeds, from task.seed on; each trains every variant anew."
    )
    output_dir: str = option(
        "runs/compare", "Folder that gets the report and all runs."
    )
    test_records: str = option(
        "",
        "Records to compare on: records/test-*.tfrecord. The default is"
        " task.validation_data, by which checkpoints are chosen: that flatters.",
    )
    test_tfds_split: str = option(
        "", "Split to compare on, of the TFDS data set of task.validation_data: test."
    )
    quantization: str = option(
        AUTO,
        "Quantization of the exported files, as for grw-export; empty exports nothing.",
    )
    minutes: float = option(
        0.0,
        "Stop after about so many minutes, with a checkpoint and a report of what has"
        " finished; the same command resumes. 0: no limit.",
    )
    robustness: bool = option(
        False,
        "Also compare the accuracy with dropped frames, jitter in time, another frame"
        " rate, and noise. Runs that have finished are measured, too.",
    )
    timing_rounds: int = option(
        20, "How often training steps and exported files are timed in turn; 0: never."
    )

    def __post_init__(self):
        check_positive(seeds=self.seeds)
        if not self.output_dir:
            raise ValueError("output_dir is empty: give the folder for all runs.")
        if not 0 <= self.minutes < math.inf:
            raise ValueError(
                f"minutes is {self.minutes}: give a number above 0, or 0 for no limit."
            )
        if self.timing_rounds < 0:
            raise ValueError(f"timing_rounds is {self.timing_rounds}: give 0 or more.")
        if self.quantization and self.quantization not in MODES:
            raise ValueError(
                f"quantization is {self.quantization!r}: it must be one of"
                f" {', '.join(MODES)}, or empty."
            )
        if self.test_records and self.test_tfds_split:
            raise ValueError(
                f"test_records is {self.test_records} and test_tfds_split is"
                f" {self.test_tfds_split}: give one of them."
            )
        if "," in self.output_dir:
            raise ValueError(
                f"output_dir is {self.output_dir}: files in it are listed by commas,"
                " give a folder without any."
            )
        if "://" in self.output_dir:
            raise ValueError(
                f"output_dir is {self.output_dir}: runs go to a local folder, copy them"
                " from there."
            )
