r"""Evaluates a linear classifier on a pretrained backbone, a baseline for fine-tuning.

    grw-linear-probe --preset=a0_stream --checkpoint=movinet_a0_stream \
        --train_records='records/train-*.tfrecord' \
        --records='records/test-*.tfrecord' --output_dir=runs/probe

The backbone's features, averaged over a clip, are classified by logistic regression.
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.linear_probe import LinearProbeConfig, probe


def define_flags() -> None:
    flags.define_flags(
        LinearProbeConfig,
        required=["checkpoint", "train_records", "records", "output_dir"],
    )


def main(_: list[str]) -> None:
    tell_devices()
    config = flags.config_from_flags(LinearProbeConfig)
    print(probe(config)["table"])
    print(f"Written to {config.output_dir}.")
