"""What to compare."""

import dataclasses

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.export.quantization.quantize import MODES


@dataclasses.dataclass(frozen=True)
class ComparisonConfig:
    """What to compare; each is a flag.

    Raises:
      ValueError: at construction, for values that make no sense.
    """

    variants: str = option(
        "baseline,grw_final",
        "By commas: baseline, grw_final, grw_intermediate, grw (the config's own"
        " smoothing.layers), rms, random_drop, shake_drop, cutmix, mixup; several act"
        " together as in grw+rms. The baseline always runs.",
    )
    seeds: int = option(5, "How many seeds, from task.seed on; each trains anew.")
    output_dir: str = option(
        "runs/compare", "Folder that gets the report and all runs."
    )
    test_records: str = option(
        "",
        "Records to compare on: records/test-*.tfrecord. By default those of"
        " task.validation_data, by which checkpoints are chosen: that flatters.",
    )
    intermediate_layer: str = option(
        "", "Endpoint of grw_intermediate; by default the backbone's last block."
    )
    quantization: str = option(
        "dynamic",
        "Of the exported files, as of export.export_tflite; empty for no export.",
    )
    timing_rounds: int = option(
        20, "Training steps and exported files timed in turn; 0 for none."
    )

    def __post_init__(self):
        check_positive(seeds=self.seeds)
        if not self.output_dir:
            raise ValueError("output_dir is empty: give the folder for all runs.")
        if self.timing_rounds < 0:
            raise ValueError(f"timing_rounds is {self.timing_rounds}: give 0 or more.")
        if self.quantization and self.quantization not in MODES:
            raise ValueError(
                f"quantization is {self.quantization!r}: it must be one of"
                f" {', '.join(MODES)}, or empty."
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
