"""What this process computes on."""

import tensorflow as tf


def only_cpus() -> bool:
    """Whether the machine has no other devices than CPUs.

    Asking starts TensorFlow's runtime, as building a model does.
    """
    devices = tf.config.list_logical_devices()
    return all(device.device_type == "CPU" for device in devices)
