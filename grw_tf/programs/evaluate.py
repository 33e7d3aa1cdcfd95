r"""Evaluates a checkpoint on records: by clips, by views, or frame by frame.

    grw-evaluate --checkpoint=runs/own/best_ckpt \
        --records='records/test-*.tfrecord' --output_dir=runs/own/test \
        [--clips=10 --crops=3 | --streaming] [--robustness]

The 30 views of the RMS paper are --clips=10 --crops=3 --size=256.
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate


def define_flags() -> None:
    flags.define_flags(
        EvaluationConfig, required=["checkpoint", "records", "output_dir"]
    )


def main(_: list[str]) -> None:
    tell_devices()
    config = flags.config_from_flags(EvaluationConfig)
    print(evaluate(config)["table"])
    print(f"Written to {config.output_dir}.")
