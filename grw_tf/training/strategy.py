"""The devices of a training, by the Model Garden's distribution strategies."""

import tensorflow as tf
from official.common import distribute_utils


def build_strategy(runtime):
    """Returns the `tf.distribute.Strategy` of a runtime config.

    For several workers, it waits until all of them are there.

    Raises:
      ValueError: for a strategy there is not, or one whose devices are not here.
    """
    name = str(runtime.distribution_strategy).lower()
    if name == "parameter_server":
        raise ValueError(
            "runtime.distribution_strategy parameter_server is not supported: choose"
            " one_device, mirrored, multi_worker_mirrored or tpu."
        )
    if name in ("one_device", "mirrored") and runtime.num_gpus:
        gpus = len(tf.config.list_physical_devices("GPU"))
        if runtime.num_gpus > gpus:
            raise ValueError(
                f"runtime.num_gpus is {runtime.num_gpus}, but TensorFlow sees {gpus}"
                " GPUs: lower it."
            )
    try:
        return distribute_utils.get_distribution_strategy(
            distribution_strategy=runtime.distribution_strategy,
            all_reduce_alg=runtime.all_reduce_alg,
            num_gpus=runtime.num_gpus,
            tpu_address=runtime.tpu,
        )
    except Exception as error:
        if name != "tpu":
            raise
        reason = " ".join(str(error).split())
        raise ValueError(
            f"No TPU answers at --tpu={runtime.tpu or ''} ({reason:.80}): give its name"
            " or address, 'local' for this machine's, or choose another"
            " runtime.distribution_strategy."
        ) from None
