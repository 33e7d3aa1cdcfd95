"""Tests of training by the Model Garden's trainer, on a tiny model and drawn videos."""

import dataclasses
import json
import pathlib
import re
import types

import numpy as np
import pytest
import tensorflow as tf
from drawn_videos import write_video
from official.core import exp_factory
from official.core.train_utils import ParseConfigOptions
from official.modeling import hyperparams

from grw_tf.data.preparation import PreparationConfig, prepare
from grw_tf.experiments.parsing import parse_experiment
from grw_tf.experiments.video_classification import EXPERIMENTS
from grw_tf.experiments.yaml_config import frozen
from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS
from grw_tf.training.driver import run_experiment
from grw_tf.training.model_dir import claimed
from grw_tf.training.progress import StopAtNonsense
from grw_tf.weights.inspection import inspect

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
EXPERIMENT = "movinet_a0_stream_grw"


@dataclasses.dataclass
class Options(ParseConfigOptions):
    """The Model Garden's flags."""

    mode: str = "train_and_eval"
    model_dir: str = ""


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder of records of red and blue videos."""
    folder = tmp_path_factory.mktemp("records")
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        for index in range(6):
            split = "train" if index < 4 else "test"
            frames = [
                tuple(channel * (8 + k) // 16 for channel in colour) for k in range(8)
            ]
            write_video(folder / "videos" / split / name / f"{index}.mp4", frames, 5)
    prepare(
        PreparationConfig(
            input=str(folder / "videos"), output_dir=str(folder / "records"), workers=1
        )
    )
    return folder / "records"


def _options(records, model_dir, override=None, **options):
    override = {"task": {}, "trainer": {}} | (override or {})
    override["task"] = {
        "model": {"num_classes": 2},
        "train_data": {"input_path": f"{records}/train-*"},
        "validation_data": {"input_path": f"{records}/test-*"},
    } | override["task"]
    return Options(
        experiment=EXPERIMENT,
        config_file=[str(CONFIGS / "smoke.yaml")],
        params_override=json.dumps(override),
        model_dir=str(model_dir),
        **options,
    )


@pytest.fixture(scope="module")
def run(records, tmp_path_factory):
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("run")
    run_experiment(_options(records, folder))
    return folder


def _scalars(folder):
    """Reads the last value of each scalar in a folder of event files."""
    values = {}
    for file in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                values[value.tag] = float(tf.make_ndarray(value.tensor))
    return values


def test_training_logs_each_loss_and_rate_by_its_name(run):
    logged = _scalars(run / "train")
    wanted = {"class_loss", "grw_loss", "grw_order_accuracy", "grw_velocity"}
    wanted |= {"learning_rate_backbone", "learning_rate_head", "training_loss"}
    wanted |= {"top_1_accuracy", "top_5_accuracy", "macro_f1"}
    assert wanted <= logged.keys()
    assert all(np.isfinite(value) for value in logged.values())
    total = logged["class_loss"] + 0.1 * logged["grw_loss"]
    assert logged["training_loss"] == pytest.approx(total, rel=1e-3)
    # Cosine to a hundredth over all of the steps.
    assert logged["learning_rate_backbone"] == pytest.approx(1e-6)
    assert logged["learning_rate_head"] == pytest.approx(1e-5)


def test_validation_logs_no_smoothing(run):
    logged = _scalars(run / "validation")
    assert {"class_loss", "top_1_accuracy", "validation_loss"} <= logged.keys()
    assert not [name for name in logged if name.startswith("grw")]


def test_checkpoint_of_a_training_says_what_it_is(run):
    report = inspect(run)
    assert "model id             nano" in report
    assert "gating_activation    hard_sigmoid_keras" in report
    assert "also there           backbone" not in report
    assert (run / "best_ckpt").is_dir()


def test_config_of_a_training_is_kept(run):
    kept = hyperparams.read_yaml_to_params_dict(str(run / "params.yaml"))
    assert kept.task.model.backbone.model_id == "nano"
    assert kept.trainer.train_steps == 20


def test_training_goes_on_from_its_checkpoint(records, run, capsys):
    longer = {"trainer": {"train_steps": 30}}
    run_experiment(_options(records, run, longer, mode="train"))
    assert tf.train.latest_checkpoint(run).endswith("ckpt-30")
    assert "ckpt-20" in capsys.readouterr().out


def test_training_starts_from_a_checkpoint(records, run, tmp_path, caplog):
    task = {"init_checkpoint": str(run)}
    short = {"task": task, "trainer": {"train_steps": 5}}
    caplog.set_level("INFO")
    run_experiment(_options(records, tmp_path, short, mode="train"))
    assert "variables of the backbone came" in caplog.text


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_preset_is_an_experiment(name):
    config = exp_factory.get_exp_config(name)
    text = json.dumps(config.task.model.as_dict())
    assert ModelConfig.from_json(text) == PRESETS[EXPERIMENTS[name]]


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda f: f.stem)
def test_each_config_file_is_an_experiment_with_its_command(file):
    text = file.read_text()
    (name,) = re.findall(r"--experiment=(\w+)", text)
    config = parse_experiment(Options(experiment=name, config_file=[str(file)]))
    assert frozen(config.task.model, ModelConfig)
    assert f"--config_file=configs/{file.name}" in text
    assert "# Hardware:" in text and "Expected:" in text


WRONG = {
    "experiment": (
        {"experiment": "movinet_a0_steam_grw"},
        "Unknown experiment 'movinet_a0_steam_grw'; did you mean 'movinet_a0_stream_",
    ),
    "key": (
        {"params_override": "trainer.trian_steps=3"},
        "unknown key 'trainer.trian_steps'; did you mean 'train_steps'",
    ),
    "key of the model": (
        {"params_override": "task.model.smoothing.windw=3"},
        "unknown key 'task.model.smoothing.windw'; did you mean 'window'",
    ),
    "type": (
        {"params_override": "trainer.train_steps=many"},
        "trainer.train_steps must be of type int, not 'many'",
    ),
    "no mapping": (
        {"params_override": '{"task": 3}'},
        "task. must be a mapping of keys",
    ),
    "file": ({"config_file": ["none.yaml"]}, "There is no config file none.yaml"),
}


@pytest.mark.parametrize("options, message", WRONG.values(), ids=WRONG)
def test_wrong_config_is_refused_in_one_line(options, message):
    options = {"experiment": EXPERIMENT, "config_file": []} | options
    with pytest.raises(ValueError, match=message) as refused:
        parse_experiment(Options(**options))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "override, message",
    [
        ({"task": {"model": {"num_classes": 3}}}, "has 2 classes, .*num_classes is 3"),
        (
            {"task": {"model": {"num_classes": 2, "fps": 3.0}}},
            "has 5 frames a second, no whole multiple of the model's 3",
        ),
        (
            {"task": {"model": {"num_classes": 2, "frames": 3}}},
            "N=3 frames is shorter than one window of T=4",
        ),
        (
            {"task": {"train_data": {"input_path": "/none/*"}}},
            "No file matches /none/",
        ),
        (
            {"task": {"train_data": {"global_batch_size": 0}}},
            "train_data.global_batch_size must be a multiple of the 1 replicas, got 0",
        ),
        (
            {"task": {"init_checkpoint": "/none"}},
            "There is no checkpoint /none",
        ),
    ],
    ids=["classes", "rate", "frames", "records", "batch", "checkpoint"],
)
def test_what_does_not_fit_ends_before_training(records, tmp_path, override, message):
    with pytest.raises(ValueError, match=message):
        run_experiment(_options(records, tmp_path, override))


def test_two_trainings_in_one_folder_are_refused(records, tmp_path):
    with claimed(tmp_path):
        with pytest.raises(ValueError, match="Another training runs in"):
            run_experiment(_options(records, tmp_path))


def test_embeddings_that_are_no_numbers_stop_in_one_line(records, tmp_path):
    rate = {"type": "constant", "constant": {"learning_rate": 1e30}}
    optimization = {"learning_rate": rate, "head_learning_rate": rate}
    trainer = {"optimizer_config": optimization, "checkpoint_interval": 5}
    with pytest.raises(ValueError, match="Training stopped after step .* not finite"):
        run_experiment(_options(records, tmp_path, {"trainer": trainer}, mode="train"))


def test_loss_that_is_no_number_is_not_saved():
    stop = StopAtNonsense(types.SimpleNamespace(global_step=7))
    stop({"training_loss": 1.0})
    with pytest.raises(
        ValueError, match="loss is nan at step 7, learning_rate_head 0.1"
    ):
        stop({"training_loss": np.nan, "learning_rate_head": 0.1})
