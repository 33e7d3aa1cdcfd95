"""Tests of training on several devices and by several workers."""

import pathlib

import pytest
import tensorflow as tf
from official.core.config_definitions import RuntimeConfig
from training_runs import command, scalars
from two_workers import two_workers, wait_for, wait_until_done

from grw_tf.training.strategy import build_strategy
from grw_tf.training.workers import lost_worker, own_folder

STEPS = 20
KILLED_AT = 10


@pytest.mark.slow
def test_two_devices_train_as_one(run_isolated, colored_records):
    run_isolated("distributed_training_checks.py", RECORDS=str(colored_records))


@pytest.mark.slow
def test_two_devices_train_as_one_in_float32_and_measure_alike(
    run_isolated, colored_records, labeled_records
):
    run_isolated(
        "distributed_training_checks.py",
        RECORDS=str(colored_records),
        LABELED_RECORDS=str(labeled_records),
        PYTEST_ADDOPTS="-m slow",
    )


def _errors(log):
    return [line for line in log.read_text().splitlines() if line.startswith("OSError")]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0])
def test_two_workers_go_on_after_one_was_killed(colored_records, tmp_path, victim):
    folder = tmp_path / "run"
    trainer = {
        "train_steps": STEPS,
        "steps_per_loop": 5,
        "checkpoint_interval": 5,
        "summary_interval": 5,
        "validation_interval": 10,
    }
    runtime = {"distribution_strategy": "multi_worker_mirrored"}
    override = {"runtime": runtime, "trainer": trainer}
    command_line = command(colored_records, folder, override)
    with two_workers(command_line, tmp_path) as workers:
        wait_for(folder / f"ckpt-{KILLED_AT}.index", workers, tmp_path)
        workers[victim].kill()
        assert workers[1 - victim].wait(120) == 1
    (error,) = _errors(tmp_path / f"worker{1 - victim}.txt")
    assert "Another worker of this training has ended" in error
    assert "Start all workers again" in error
    assert tf.train.load_variable(str(folder), "global_step/.ATTRIBUTES/VARIABLE_VALUE")

    with two_workers(command_line, tmp_path) as workers:
        wait_until_done(workers, tmp_path)
    chief = (tmp_path / "worker0.txt").read_text()
    assert f"restored from checkpoint: {folder}/ckpt-{KILLED_AT}" in chief
    _check_folder(folder)


def _check_folder(folder):
    """Checks that a folder is as one worker, started twice, leaves it."""
    assert tf.train.latest_checkpoint(folder) == str(folder / f"ckpt-{STEPS}")
    reader = tf.train.load_checkpoint(str(folder))
    for key in ("global_step", "optimizer/ema_base_optimizer/iter"):
        assert reader.get_tensor(f"{key}/.ATTRIBUTES/VARIABLE_VALUE") == STEPS
    assert {file.name for file in folder.iterdir() if "ckpt-" not in file.name} == {
        *("best_ckpt", "checkpoint", "ema_checkpoints", "labels.txt", "params.yaml"),
        *("train", "training.lock", "validation"),
    }
    for averages in (folder / "ema_checkpoints", folder / "best_ckpt"):
        tf.train.load_checkpoint(str(averages))
        assert not list(averages.glob("*temp*"))
    assert len(list((folder / "train").glob("events*"))) == 2
    steps = {step for split, name, step in scalars(folder) if split == "validation"}
    assert steps == {KILLED_AT, STEPS}


def test_chief_writes_the_folder_and_others_one_that_goes(tmp_path):
    best = tmp_path / "best"
    best.mkdir()
    (best / "info.json").write_text("{}")
    with own_folder(str(tmp_path), "best", is_chief=True) as folder:
        assert folder == str(tmp_path)
    with own_folder(str(tmp_path), "best", is_chief=False) as folder:
        assert folder != str(tmp_path)
        # They must agree on which checkpoint is the best.
        assert (pathlib.Path(folder) / "best" / "info.json").read_text() == "{}"
    assert not pathlib.Path(folder).exists()
    with own_folder(str(tmp_path), "", is_chief=False) as folder:
        assert not list(pathlib.Path(folder).iterdir())


def test_only_the_end_of_a_worker_is_called_so():
    lost = tf.errors.UnavailableError(None, None, "Collective ops is aborted by: x")
    assert "last checkpoint in runs/a" in lost_worker(lost, "runs/a")
    full = tf.errors.ResourceExhaustedError(None, None, "no space left")
    assert lost_worker(full, "runs/a") is None


@pytest.mark.parametrize(
    "runtime, message",
    [
        ({"distribution_strategy": "tpu"}, "No TPU answers at --tpu= "),
        ({"distribution_strategy": "tpu", "tpu": "local"}, "No TPU answers at --tpu=l"),
        ({"distribution_strategy": "mirrored", "num_gpus": 99}, "num_gpus is 99, but"),
        ({"distribution_strategy": "parameter_server"}, "is not supported: choose"),
        ({"distribution_strategy": "mirorred"}, "Unrecognized Distribution Strategy"),
    ],
)
def test_devices_that_are_not_there_are_told_in_one_line(runtime, message):
    with pytest.raises(ValueError, match=message) as refused:
        build_strategy(RuntimeConfig(**runtime))
    assert str(refused.value).isprintable()
