"""What a training step costs, and the smoothing's share of it."""

import dataclasses
import statistics
import time

import tensorflow as tf

from grw_tf import losses


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Medians over steps taken in turn, in one run.

    Attributes:
      without: seconds of a training step without smoothing.
      with_grw: seconds of a training step with it.
      share: the part of the latter that the GRW loss alone takes, forward and backward.
    """

    without: float
    with_grw: float
    share: float


def measure_step_cost(without, with_grw, batch, repeats=20) -> StepCost:
    """Times training steps of two compiled models on one batch, in turn.

    The steps change the models' weights: measure last.

    Args:
      without, with_grw: compiled models, the second with "final" smoothing.
      batch: (clips, labels).
      repeats: steps of each.
    """
    smoothing = with_grw.config.smoothing
    z = with_grw.embed(batch[0])

    @tf.function
    def grw(z):
        windows = losses.cut_windows(z, smoothing.window)
        loss = losses.grw_loss(
            windows, smoothing.alpha, smoothing.orders, smoothing.max_orders
        )
        return tf.gradients(tf.reduce_mean(loss), z)

    timed = {
        "without": lambda: without.train_on_batch(*batch),
        "with_grw": lambda: with_grw.train_on_batch(*batch),
        "grw": lambda: grw(z),
    }
    seconds = {name: [] for name in timed}
    for call in timed.values():
        call()
    for _ in range(repeats):
        for name, call in timed.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return StepCost(
        median["without"], median["with_grw"], median["grw"] / median["with_grw"]
    )
