"""Tests that a training, killed and resumed, ends where it would have ended."""

import json
import pathlib
import random
import subprocess
import time

import pytest
from training_runs import assert_same, command, scalars, values

ROOT = pathlib.Path(__file__).parents[2]
KILLS = 10


def _command(records, folder):
    override = {
        "task": {
            # All that is random: order, crops and flips, dropout, stochastic depth.
            "model": {
                "head": {"dropout_rate": 0.2, "stochastic_depth_drop_rate": 0.2},
                "backbone": {"stochastic_depth_drop_rate": 0.2},
            },
            "train_data": {"input_path": f"{records}/train-*", "cycle_length": 2},
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
    return command(records, folder, override)


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


@pytest.mark.slow
def test_killed_ten_times_ends_with_the_same_bits(colored_records, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    _run(_command(colored_records, whole))
    seconds = time.monotonic() - began
    rng = random.Random(0)
    killed_command = _command(colored_records, killed)
    # A third of the time goes by before the first step.
    for _ in range(KILLS):
        _run(killed_command, rng.uniform(0.3, 0.7) * seconds)
    while not _run(killed_command):
        pass
    assert_same(values(killed), values(whole))
    expected, found = (
        {key: v for key, v in scalars(f).items() if "per_second" not in key[1]}
        for f in (whole, killed)
    )
    # A killed run may log more: steps that were taken again.
    assert expected.keys() <= found.keys()
    assert_same({key: found[key] for key in expected}, expected)
    best = [
        json.loads((f / "best_ckpt/info.json").read_text()) for f in (whole, killed)
    ]
    for one in best:
        one.pop("steps_per_second", None)
    assert best[0] == best[1]
