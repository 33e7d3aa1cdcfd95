"""Tests that a training, killed and resumed, ends where it would have ended."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from training_runs import EXPERIMENT, SMOKE_GRW

ROOT = pathlib.Path(__file__).parents[2]
KILLS = 10


def _command(records, folder):
    override = {
        "task": {
            # All that is random: order, crops and flips, dropout, stochastic depth.
            "model": {
                "num_classes": 2,
                "head": {"dropout_rate": 0.2, "stochastic_depth_drop_rate": 0.2},
                "backbone": {"stochastic_depth_drop_rate": 0.2},
            },
            "train_data": {"input_path": f"{records}/train-*", "cycle_length": 2},
            "validation_data": {"input_path": f"{records}/test-*"},
            "unfreeze_step": 20,
        },
        "trainer": {
            "train_steps": 60,
            "steps_per_loop": 5,
            "checkpoint_interval": 5,
            "summary_interval": 5,
            "validation_interval": 20,
            # Before the step at which the backbone thaws, and after it.
            "batch_norm_recalibration": 6,
        },
    }
    return [
        *(sys.executable, "-m", "scripts.train"),
        f"--experiment={EXPERIMENT}",
        "--mode=train_and_eval",
        *(f"--config_file={file}" for file in SMOKE_GRW),
        f"--params_override={json.dumps(override)}",
        f"--model_dir={folder}",
    ]


def _run(command, seconds=None):
    """Runs a command, killed after some seconds; returns whether it ended by itself."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    assert process.returncode == 0, output.decode()
    return True


def _values(folder):
    reader = tf.train.load_checkpoint(os.fspath(folder))
    return {
        key: reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if "save_counter" not in key and not key.startswith("_CHECKPOINT")
    }


def _scalars(folder):
    """Returns the last value of each scalar at each step, but for times."""
    values = {}
    for file in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name != "images":
                    number = tf.make_ndarray(value.tensor)
                    values[value.tag, event.step] = number
    return {key: v for key, v in values.items() if "per_second" not in key[0]}


@pytest.mark.slow
def test_killed_ten_times_ends_with_the_same_bits(coloured_records, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    _run(_command(coloured_records, whole))
    seconds = time.monotonic() - began
    rng = random.Random(0)
    command = _command(coloured_records, killed)
    # A third of the time goes by before the first step.
    for _ in range(KILLS):
        _run(command, rng.uniform(0.3, 0.7) * seconds)
    while not _run(command):
        pass
    expected, values = _values(whole), _values(killed)
    assert expected.keys() == values.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(values[key], value, err_msg=key)
    for split in ("train", "validation"):
        expected, found = _scalars(whole / split), _scalars(killed / split)
        assert expected.keys() <= found.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=str(key))
    best = [
        json.loads((f / "best_ckpt/info.json").read_text()) for f in (whole, killed)
    ]
    for one in best:
        one.pop("steps_per_second", None)
    assert best[0] == best[1]
