"""Tests of the line on what a process computes on."""

import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from grw_tf.common import devices
from grw_tf.common.devices import devices_text

CORES = os.cpu_count()


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    """No devices are chosen by the environment."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def seen(monkeypatch):
    """A function that makes TensorFlow see GPUs of these names."""

    def see(*names):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: names)
        details = {"get_device_details": lambda name: {"device_name": name}}
        for name, function in details.items():
            monkeypatch.setattr(tf.config.experimental, name, function)

    return see


@pytest.fixture
def present(monkeypatch, tmp_path):
    """A function that puts GPUs of these names into the machine."""

    def put(*names):
        for index, name in enumerate(names):
            (tmp_path / str(index)).mkdir()
            text = f"Model: \t\t {name}\nIRQ: 12\nDevice Minor: \t 0\n"
            (tmp_path / str(index) / "information").write_text(text)
        monkeypatch.setattr(devices, "_DRIVER", tmp_path)

    return put


def test_gpus_are_named_and_counted(seen):
    seen("NVIDIA L4", "NVIDIA L4", "Tesla T4")
    assert devices_text() == "GPU: 2 x NVIDIA L4, Tesla T4"
    assert devices_text("bfloat16") == "GPU: 2 x NVIDIA L4, Tesla T4, mixed_bfloat16"
    assert devices_text("float32") == devices_text()


def test_cpu_alone_says_where_to_read(seen, present):
    seen()
    present()
    assert devices_text() == (
        f"CPU, {CORES} cores: no GPU found; see docs/training.md#gpu"
    )


def test_gpu_that_tensorflow_cannot_use_is_warned_of(seen, present):
    seen()
    present("NVIDIA H100", "NVIDIA H100")
    assert devices_text().startswith(
        f"CPU, {CORES} cores. WARNING: this machine has a GPU (2 x NVIDIA H100) that"
        " TensorFlow cannot use: install grw_tf[gpu]"
    )


@pytest.mark.parametrize("value", ["", "-1"])
def test_gpu_that_the_user_hides_is_no_cause_to_warn(seen, present, monkeypatch, value):
    seen()
    present("NVIDIA H100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert devices_text("bfloat16") == (
        f"CPU, {CORES} cores, mixed_bfloat16: CUDA_VISIBLE_DEVICES hides NVIDIA H100"
    )


def test_tpu_is_named_with_its_cores():
    assert devices_text("bfloat16", tpu_cores=8) == "TPU: 8 cores, mixed_bfloat16"


@pytest.mark.slow
def test_programs_start_with_this_line_and_without_tensorflows_own():
    command = [sys.executable, "-m", "scripts.evaluate", "--records=/nowhere"]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [*command, "--checkpoint=/nowhere/ckpt-1", "--output_dir=/nowhere/results"],
        cwd=pathlib.Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    first, error = done.stderr.splitlines()
    assert first == devices_text()
    assert error.startswith("ValueError: ") or error.startswith("FileNotFoundError: ")
    assert done.returncode == 1
