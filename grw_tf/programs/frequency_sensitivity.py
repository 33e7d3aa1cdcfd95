r"""Measures accuracy with the low or the high frequencies of features scaled.

    grw-frequency-sensitivity --checkpoint_dir=runs/own,runs/rms \
        --records='records/test-*.tfrecord' --scales=0,0.5,1,1.5,2 \
        --output_dir=runs/sensitivity

Before the batch normalizations on which Random Mean Scaling acts, either the local mean
of the features (low frequencies) or the residual (high frequencies) is multiplied by
each scale, as in Figures 1 and 4 of the RMS paper.
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.frequency_sensitivity import (
    SensitivityConfig,
    frequency_sensitivity,
)


def define_flags() -> None:
    flags.define_flags(
        SensitivityConfig, required=["checkpoint_dir", "records", "output_dir"]
    )


def main(_: list[str]) -> None:
    tell_devices()
    config = flags.config_from_flags(SensitivityConfig)
    print(frequency_sensitivity(config)["table"])
    print(f"Written to {config.output_dir}.")
