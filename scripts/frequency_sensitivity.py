"""Measures how accuracy falls when slow or fast parts of features are scaled.

    python -m scripts.frequency_sensitivity --checkpoint_dir=runs/own,runs/rms \\
        --records='records/test-*.tfrecord' --scales=0,0.5,1,1.5,2 \\
        --output_dir=runs/sensitivity

Before the batch normalisations that Random Mean Scaling acts on, the local mean of the
features (low frequencies) or what is left of them (high) is multiplied by each scale,
and the other stays as it is: Figures 1 and 4 of the RMS paper.
"""

from grw_tf.common import flags, programs
from grw_tf.evaluation.frequency_sensitivity import (
    SensitivityConfig,
    frequency_sensitivity,
)

flags.define_flags(
    SensitivityConfig, required=["checkpoint_dir", "records", "output_dir"]
)


def main(_):
    config = flags.config_from_flags(SensitivityConfig)
    print(frequency_sensitivity(config)["table"])
    print(f"Written to {config.output_dir}.")


if __name__ == "__main__":
    programs.run(main)
