"""What this process computes on."""

import os
import pathlib
import sys
from collections import Counter

import tensorflow as tf

_DRIVER = pathlib.Path("/proc/driver/nvidia/gpus")


def only_cpus() -> bool:
    """Whether the machine has no other devices than CPUs.

    Asking starts TensorFlow's runtime, as building a model does.
    """
    devices = tf.config.list_logical_devices()
    return all(device.device_type == "CPU" for device in devices)


def tell_devices(precision: str | None = None, tpu_cores: int = 0) -> None:
    """Writes `devices_text` to the standard error."""
    print(devices_text(precision, tpu_cores), file=sys.stderr)


def devices_text(precision: str | None = None, tpu_cores: int = 0) -> str:
    """Returns one line on what this process computes on.

    It names the GPUs that TensorFlow sees. Without any, it says whether the machine has
    one that TensorFlow cannot use. Asking does not start TensorFlow's runtime.

    Args:
        precision: The type that models compute in, such as "bfloat16"; None is
            float32.
        tpu_cores: Cores of the TPU that is connected; 0 without one.
    """
    ending = f", mixed_{precision}" if precision not in (None, "float32") else ""
    if tpu_cores:
        return f"TPU: {tpu_cores} cores{ending}"
    if gpus := tf.config.list_physical_devices("GPU"):
        details = map(tf.config.experimental.get_device_details, gpus)
        names = _named(one.get("device_name", "unknown") for one in details)
        return f"GPU: {names}{ending}"
    cores = f"CPU, {os.cpu_count()} cores{ending}"
    if not (present := gpus_in_machine()):
        return f"{cores}: no GPU found; see docs/training.md#gpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return f"{cores}: CUDA_VISIBLE_DEVICES hides {_named(present)}"
    return (
        f"{cores}. WARNING: this machine has a GPU ({_named(present)}) that TensorFlow"
        " cannot use: install grw_tf[gpu] and a driver of CUDA 12.5 or later; see"
        " docs/training.md#gpu"
    )


def gpus_in_machine() -> list[str]:
    """Returns the names of the NVIDIA GPUs whose driver is loaded, by Linux's /proc."""
    names = []
    for file in sorted(_DRIVER.glob("*/information")):
        lines = dict(
            line.split(":", 1) for line in file.read_text().splitlines() if ":" in line
        )
        names.append(lines.get("Model", "unknown").strip())
    return names


def _named(names):
    return ", ".join(
        name if count == 1 else f"{count} x {name}"
        for name, count in Counter(names).items()
    )
