r"""Draws the curves of training and validation of a comparison, as a PNG file.

    grw-training-curves --report=runs/compare/report.json \
        --output=curves.png

The curves are means over the seeds in the report, as in Figure 3 of the RMS paper.
"""

from grw_tf.common import flags
from grw_tf.comparison.training_curves import (
    TrainingCurvesConfig,
    write_training_curves,
)


def define_flags() -> None:
    flags.define_flags(TrainingCurvesConfig, required=["report", "output"])


def main(_: list[str]) -> None:
    config = flags.config_from_flags(TrainingCurvesConfig)
    write_training_curves(config)
    print(f"Written to {config.output}.")
