"""Evaluates a linear classifier on a pretrained backbone, as a baseline of fine-tuning.

    python -m scripts.linear_probe --preset=a0_stream --checkpoint=movinet_a0_stream \\
        --train_records='records/train-*.tfrecord' \\
        --records='records/test-*.tfrecord' --output_dir=runs/probe
"""

from grw_tf.common import flags, programs
from grw_tf.evaluation.linear_probe import LinearProbeConfig, probe

flags.define_flags(
    LinearProbeConfig,
    required=["checkpoint", "train_records", "records", "output_dir"],
)


def main(_):
    config = flags.config_from_flags(LinearProbeConfig)
    print(probe(config)["table"])
    print(f"Written to {config.output_dir}.")


if __name__ == "__main__":
    programs.run(main)
