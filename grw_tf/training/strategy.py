"""Builds the distribution strategy of a training from its runtime config."""

import functools
import os

import tensorflow as tf
from official.common import distribute_utils
from official.core import config_definitions as cfg

from grw_tf.common.error_text import one_line
from grw_tf.training.cluster import check_cluster, split_workers, warn_of_cluster
from grw_tf.training.meeting import ended_by_signals, meet


def build_strategy(runtime: cfg.RuntimeConfig) -> tf.distribute.Strategy:
    """Returns the strategy of a runtime config.

    Without num_gpus, one_device takes one GPU if there is any, and mirrored all of
    them. With several workers, it logs that it waits until all can be reached;
    meanwhile Ctrl-C and SIGTERM end the process.

    Raises:
        ValueError: If the strategy is unknown, a device is missing, or TF_CONFIG is
            wrong; see `check_cluster`, `split_workers` and `meet`.
    """
    name = str(runtime.distribution_strategy).lower()
    num_gpus = runtime.num_gpus
    if name == "parameter_server":
        raise ValueError(
            "runtime.distribution_strategy parameter_server is not supported: choose"
            " one_device, mirrored, multi_worker_mirrored or tpu."
        )
    if name == "multi_worker_mirrored":
        check_cluster(os.environ.get("TF_CONFIG"))
        meet(*split_workers(os.environ["TF_CONFIG"]))
    else:
        warn_of_cluster(os.environ.get("TF_CONFIG"), name)
    if name in ("one_device", "mirrored"):
        gpus = len(tf.config.list_physical_devices("GPU"))
        if runtime.num_gpus > gpus:
            raise ValueError(
                f"runtime.num_gpus is {runtime.num_gpus}, but TensorFlow sees {gpus}"
                " GPUs: lower it."
            )
        # The Model Garden would leave them idle.
        num_gpus = num_gpus or (min(gpus, 1) if name == "one_device" else gpus)
    build = functools.partial(
        distribute_utils.get_distribution_strategy,
        distribution_strategy=runtime.distribution_strategy,
        all_reduce_alg=runtime.all_reduce_alg,
        num_gpus=num_gpus,
        tpu_address=runtime.tpu,
    )
    if name == "multi_worker_mirrored":
        with ended_by_signals():
            return build()
    try:
        return build()
    except Exception as error:
        if name != "tpu":
            raise
        raise ValueError(
            f"No TPU answers at --tpu={runtime.tpu or ''} ({one_line(error, 80)}): give"
            " its name or address, 'local' for this machine's, or choose another"
            " runtime.distribution_strategy."
        ) from None
