r"""Measures the gradients of the classification loss and of GRW smoothing.

    grw-loss-gradients --checkpoint_dir=runs/own --records='records/train-*.tfrecord'

For the backbone and for the head it prints the norms of both gradients, the weight of
smoothing at which they are equal, and the cosine between them: a hint of how large
`smoothing.weight` may be. Above that weight, smoothing decides where most steps go.
"""

from grw_tf.common import flags
from grw_tf.common.devices import tell_devices
from grw_tf.evaluation.loss_gradients import LossGradientsConfig, measure_loss_gradients


def define_flags() -> None:
    flags.define_flags(LossGradientsConfig, required=["checkpoint_dir", "records"])


def main(_: list[str]) -> None:
    tell_devices()
    print(measure_loss_gradients(flags.config_from_flags(LossGradientsConfig)))
