"""Tests of flags from dataclasses and of what programs say when something is wrong."""

import subprocess
import sys

import pytest

PROGRAM = """
import dataclasses
from grw_tf.common import flags, programs

@dataclasses.dataclass(frozen=True)
class Config:
    epochs: int = flags.option(3, "Passes.")
    rate: float = flags.option(0.5, "Rate.")
    name: str = flags.option("x", "Name.")

flags.define_flags(Config)

def main(_):
    config = flags.config_from_flags(Config)
    if config.epochs < 1:
        raise ValueError(f"epochs must be positive, got {config.epochs}.")
    print(config)

programs.run(main)
"""


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True
    )


def test_flags_have_the_fields_defaults():
    assert _run().stdout.strip() == "Config(epochs=3, rate=0.5, name='x')"


def test_flags_set_the_fields():
    done = _run("--epochs=4", "--rate=1", "--name=y")
    assert done.stdout.strip() == "Config(epochs=4, rate=1.0, name='y')"


def test_required_flag_is_asked_for(run_program):
    done = run_program("scripts.import_torch_weights", "--output_dir=x")
    assert done.returncode == 1
    assert "flag --input=None: Flag --input must have a value" in done.stderr
    assert "Warning" not in done.stderr


def test_help_lists_the_flags(run_program):
    done = run_program("scripts.demo", "--help")
    epochs = "--epochs: Passes over the training clips; 0: 8 airplanes, 5 clips."
    checkpoint = "--init_checkpoint: With --clips, the checkpoint to start from"
    assert epochs in done.stdout and checkpoint in done.stdout


@pytest.mark.parametrize("verbosity, traceback", [("0", False), ("1", True)])
def test_bad_value_ends_in_one_line(verbosity, traceback):
    done = _run("--epochs=0", f"--verbosity={verbosity}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == "ValueError: epochs must be positive, got 0."
    assert ("Traceback" in done.stderr) == traceback
