"""A comparison, whole, at toy size: trained, killed, resumed, reported."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from training_runs import SMOKE, SMOKE_GRW, scalars

from grw_tf.common.child_process import failure_of
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.perturbations import PERTURBATIONS
from grw_tf.evaluation.smoothness import smoothness
from grw_tf.models import preset
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.weights.restore import load_model


def _return(argument):
    assert argument == "argument"


def _refuse(argument):
    raise ValueError(f"{argument} is\nwrong")


def _break(argument):
    raise RuntimeError(argument)


def _kill(argument):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_return, ""),
        (_refuse, "argument is wrong"),
        (_break, "RuntimeError: argument"),
        (_kill, "it was killed, perhaps for lack of memory"),
    ],
)
def test_processes_tell_why_they_failed(function, reason):
    assert failure_of(function, "argument") == reason


def _command(records, folder, changes=(), **fields):
    override = {
        "task.model.num_classes": 2,
        "task.model.smoothing.window": 4,
        "trainer.train_steps": 10,
        "task.train_data.input_path": f"{records}/train-*",
        "task.validation_data.input_path": f"{records}/train-*",
    } | dict(changes)
    fields = {
        "variants": "grw",
        "seeds": 2,
        "test_records": f"{records}/test-*",
        "output_dir": folder,
        "timing_rounds": 2,
    } | fields
    return [
        "scripts.compare",
        *(f"--config_file={file}" for file in SMOKE_GRW),
        f"--params_override={','.join(f'{k}={v}' for k, v in override.items())}",
        *(f"--{name}={value}" for name, value in fields.items()),
    ]


@pytest.fixture(scope="module")
def compared(colored_records, tmp_path_factory, run_program):
    """The folder of a comparison that was killed in its second run, and its output."""
    folder = tmp_path_factory.mktemp("compared")
    command = _command(colored_records, folder)
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=SMOKE.parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    second = folder / "seed_0" / "grw"
    while not (second / "start.json").exists():
        assert process.poll() is None
        time.sleep(0.2)
    process.kill()
    process.wait()
    first = (folder / "seed_0" / "baseline" / "measures.json").stat().st_mtime_ns
    done = run_program(*command)
    assert done.returncode == 0, done.stderr
    return folder, first, done.stdout


@pytest.mark.slow
def test_killed_comparison_goes_on_after_finished_runs(compared):
    folder, first, output = compared
    assert "Run 1 of 3: grw, seed 0." in output
    measures = folder / "seed_0" / "baseline" / "measures.json"
    assert measures.stat().st_mtime_ns == first
    assert f"Written to {folder}/report.html." in output


@pytest.mark.slow
def test_variants_of_a_seed_start_alike_and_seeds_do_not(compared):
    findings = json.loads((compared[0] / "report.json").read_text())
    runs = findings["runs"]
    assert [run["state"] for run in runs] == ["finished"] * 4
    starts = [(run["start"]["weights"], run["start"]["clips"]) for run in runs]
    assert starts[0] == starts[1] != starts[2] == starts[3]
    assert {run["steps"] for run in runs} == {10}


@pytest.mark.slow
def test_report_holds_what_the_evaluation_measured(compared, colored_records):
    folder = compared[0]
    findings = json.loads((folder / "report.json").read_text())
    run = folder / "seed_1" / "grw"
    model = load_model(str(run / "best_ckpt"))
    ((clips, labels, _),) = EvaluationRecords(
        f"{colored_records}/test-*", model.config
    ).batches(8)
    right = (model.predict(clips, verbose=0).argmax(axis=1) == labels).mean()
    metrics = {k: v["grw"] for k, v in findings["metrics"].items()}
    assert metrics["accuracy"]["values"][1] == pytest.approx(right)
    z = model.embed(clips).numpy()
    measured = smoothness(z, 4)
    found = metrics["acceleration_ratio"]["values"][1]
    assert found == pytest.approx(measured.acceleration_ratio, rel=1e-3)
    directed = directions(z, labels)
    for key, value in (
        ("straightness", directed.straightness),
        ("direction_consistency", directed.consistency),
        ("direction_accuracy", directed.accuracy),
        ("displacement_explained", directed.explained),
    ):
        assert metrics[key]["values"][1] == pytest.approx(value, rel=1e-2), key
    with np.load(run / "embeddings.npz") as kept:
        np.testing.assert_allclose(kept["z"], z, rtol=1e-3, atol=1e-4)
    assert findings["test"]["clips"] == 8 and not findings["test"]["is_validation"]
    training = findings["training"]
    assert set(training["order accuracy"]["train"]) == {"grw"}
    assert training["loss"]["validation"]["baseline"]["steps"] == [10]


@pytest.mark.slow
def test_files_are_exported_checked_and_timed(compared):
    folder = compared[0]
    costs = json.loads((folder / "report.json").read_text())["costs"]["by_variant"]
    for name, cost in costs.items():
        with StreamSession(folder / "seed_0" / name / "model.tflite") as session:
            assert session.labels == ["blue", "red"]
        assert cost["export"]["conversion_difference"] < 1e-4
        assert cost["milliseconds_per_frame"] > 0 and cost["seconds_per_step"] > 0
    assert costs["baseline"]["step_ratio"]["median"] == 1
    assert not (folder / "seed_1" / "baseline" / "model.tflite").exists()


@pytest.mark.slow
def test_base_models_are_exported_as_classifiers_of_clips(
    colored_records, tmp_path, run_program
):
    override = {
        f"task.model.backbone.{key}": value
        for key, value in vars(preset("a0_base").backbone).items()
        if key in ("causal", "conv_type", "se_type", "activation", "gating_activation")
    }
    fields = {"seeds": 1, "quantization": "none"}
    command = _command(colored_records, tmp_path / "base", override, **fields)
    done = run_program(*command)
    assert done.returncode == 0, done.stderr
    findings = json.loads((tmp_path / "base" / "report.json").read_text())
    for name, cost in findings["costs"]["by_variant"].items():
        with ClipClassifier(tmp_path / "base/seed_0" / name / "model.tflite") as file:
            assert file.labels == ["blue", "red"]
        assert cost["export"]["count"] > 0 and "streams" not in cost["export"]
        assert "milliseconds_per_frame" not in cost and cost["seconds_per_step"] > 0
    assert " clips; before quant" in (tmp_path / "base" / "report.html").read_text()


def _numbers(folder):
    """Returns what the runs of seed 0 have measured, but for times and files."""
    numbers = {}
    for name in ("baseline", "grw"):
        run = folder / "seed_0" / name
        measures = json.loads((run / "measures.json").read_text())
        for key in ("seconds", "checkpoint", "export"):
            measures.pop(key, None)
        results = json.loads((run / "test" / "results.json").read_text())
        del results["settings"]
        predictions = (run / "test" / "predictions.csv").read_text()
        numbers[name] = measures, results, predictions
    return numbers


@pytest.fixture(scope="module")
def stopped(colored_records, tmp_path_factory, run_program):
    """A function that starts a comparison of one seed, and its folder."""
    folder = tmp_path_factory.mktemp("stopped")

    def start(**fields):
        fields = {"seeds": 1, "timing_rounds": 0, "quantization": ""} | fields
        done = run_program(*_command(colored_records, folder, **fields))
        assert done.returncode in (0, 75), done.stderr
        return done

    return start, folder


@pytest.mark.slow
def test_stopped_at_every_loop_gives_the_numbers_of_an_unstopped_one(compared, stopped):
    start, folder = stopped
    # Two loops of 5 steps of each run.
    for left in ("2 runs remain", "1 run remains", "1 run remains"):
        done = start(minutes=1e-6)
        line = done.stdout.splitlines()[-1]
        assert done.returncode == 75
        assert line.startswith(f"Stopped after 1e-06 min: {left}, about ")
        assert line.endswith(" The same command resumes.")
    assert start(minutes=1e-6).returncode == 0
    assert "runs have finished.</b>" not in (folder / "report.html").read_text()
    assert _numbers(folder) == _numbers(compared[0])
    losses = [scalars(each / "seed_0", "loss") for each in (folder, compared[0])]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_finished_runs_are_measured_on_perturbed_clips_if_asked(stopped):
    start, folder = stopped
    start()
    steps = scalars(folder / "seed_0")
    findings = json.loads((folder / "report.json").read_text())
    assert "accuracy_dropped" not in findings["metrics"]
    done = start(robustness=True)
    assert "Run 2 of 2: grw, seed 0." in done.stdout
    findings = json.loads((folder / "report.json").read_text())
    for perturbation in PERTURBATIONS:
        found = findings["metrics"][perturbation.key]
        for name in ("baseline", "grw"):
            (value,) = found[name]["values"]
            assert 8 * value in range(9)
    # Nothing was trained anew.
    assert scalars(folder / "seed_0") == steps


@pytest.mark.slow
def test_failed_run_is_told_and_the_others_go_on(
    colored_records, tmp_path, run_program
):
    fields = {"seeds": 1, "timing_rounds": 0, "quantization": ""}
    folder = tmp_path / "compared"
    other = folder / "seed_0" / "baseline"
    other.mkdir(parents=True)
    # As if another training had begun there.
    start = {"weights": "other", "clips": "other", "seed": 0}
    (folder / "seed_0" / "elsewhere").mkdir()
    (folder / "seed_0" / "elsewhere" / "start.json").write_text(json.dumps(start))
    done = run_program(*_command(colored_records, folder, **fields))
    assert done.returncode == 1
    assert "Some runs failed:\nbaseline, seed 0: " in done.stderr
    assert "grw, seed 0 starts from other weights than elsewhere" in done.stderr
    page = (folder / "report.html").read_text()
    assert "0 of 2 runs have finished" in page and "starts from other weights" in page


@pytest.mark.slow
def test_flags_that_do_nothing_are_refused(tmp_path, run_program):
    flags = f"--output_dir={tmp_path / 'out'}", "--model_dir=runs/x"
    done = run_program("scripts.compare", *flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ValueError: --model_dir does nothing here: give --output_dir, which gets all"
        " runs."
    )
    assert not (tmp_path / "out").exists()
