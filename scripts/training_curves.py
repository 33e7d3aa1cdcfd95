r"""Draws the curves of training and validation of a comparison, as a PNG file.

    python -m scripts.training_curves --report=runs/compare/report.json \
        --output=curves.png

The curves are means over the seeds in the report, as in Figure 3 of the RMS paper.
"""

from grw_tf.common import flags, programs
from grw_tf.comparison.training_curves import (
    TrainingCurvesConfig,
    write_training_curves,
)

flags.define_flags(TrainingCurvesConfig, required=["report", "output"])


def main(_: list[str]) -> None:
    config = flags.config_from_flags(TrainingCurvesConfig)
    write_training_curves(config)
    print(f"Written to {config.output}.")


if __name__ == "__main__":
    programs.run(main)
