"""Tests of configs/: each file is an experiment with its command, and nothing more."""

import dataclasses
import functools
import pathlib
import re
import shlex

import pytest
import yaml
from official.core import exp_factory
from official.core.train_utils import ParseConfigOptions

from grw_tf.data.preparation.prepare import PreparationConfig
from grw_tf.evaluation.evaluate import EvaluationConfig
from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen
from grw_tf.weights.official import OFFICIAL

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
PREPARED = [file for file in FILES if "scripts.prepare_videos" in file.read_text()]
KINETICS = [file for file in FILES if file.stem.startswith("kinetics600_a")]
MOBILENETS = [file for file in FILES if file.stem.startswith("kinetics600_mobilenet_")]
SLOWONLY = [file for file in FILES if "_slowonly_" in file.stem]
MODELS = [
    f"{id}_{kind}" for id in ("a0", "a1", "a2", "a3") for kind in ("stream", "base")
]

EPOCHS = 14
# The official training split of Kinetics-600.
TRAINING_CLIPS = 392_622
# model id: pixels, frames and frames a second of a clip, and the window's frames.
CLIPS = {
    "a0": (172, 50, 5, 5),
    "a1": (172, 50, 5, 5),
    "a2": (224, 50, 5, 5),
    "a3": (256, 120, 12, 6),
}

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_kinetics = pytest.mark.parametrize("file", KINETICS, ids=lambda file: file.stem)
each_tuned = pytest.mark.parametrize(
    "file", KINETICS + MOBILENETS, ids=lambda file: file.stem
)
each_slowonly = pytest.mark.parametrize("file", SLOWONLY, ids=lambda file: file.stem)


def _command(file, program):
    """Returns the flags of a program's command in the header."""
    header = "\n".join(
        line[1:] for line in file.read_text().splitlines() if line.startswith("#")
    )
    (text,) = re.findall(rf"python -m {program} ((?:.*\\\n)*.*)", header)
    flags = shlex.split(text.replace("\\\n", " "))
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags)


@functools.cache
def _parsed(file):
    """Returns the experiment that the command in the header runs."""
    command = _command(file, "scripts.train")
    return parse_experiment(
        ParseConfigOptions(
            experiment=command["experiment"],
            config_file=[str(CONFIGS.parent / command["config_file"])],
            params_override=command.get("params_override", ""),
        )
    )


def _leaves(values, config, path=""):
    """Yields path, value and the config's own of each key in a mapping."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, getattr(config, key), f"{path}{key}.")
        else:
            yield f"{path}{key}", value, getattr(config, key)


@each_file
def test_command_of_the_header_runs_the_file(file):
    assert _command(file, "scripts.train")["config_file"] == f"configs/{file.name}"
    params = _parsed(file)
    with pytest.raises(ValueError, match="locked"):
        params.override({"trainer": {"train_steps": 1}})
    assert frozen(params.task.model, ModelConfig)
    text = file.read_text()
    assert "# Hardware:" in text and "Expected:" in text


@pytest.mark.parametrize("file", PREPARED, ids=lambda file: file.stem)
def test_records_of_the_header_are_those_it_trains_on(file):
    command = _command(file, "scripts.prepare_videos")
    fields = {field.name for field in dataclasses.fields(PreparationConfig)}
    assert command.keys() <= fields
    params = _parsed(file)
    for data in (params.task.train_data, params.task.validation_data):
        assert data.input_path.startswith(f"{command['output_dir']}/")
    fps = float(command.get("fps", PreparationConfig.fps))
    # SlowOnly takes each eighth of the frames, from any of them on.
    assert fps == params.task.model.fps * (8 if file in SLOWONLY else 1)


@each_file
def test_each_line_changes_something(file):
    params = exp_factory.get_exp_config(_command(file, "scripts.train")["experiment"])
    leaves = list(_leaves(yaml.safe_load(file.read_text()), params))
    assert leaves
    assert [path for path, value, default in leaves if value == default] == []


@each_file
def test_intervals_fit(file):
    trainer = _parsed(file).trainer
    # As the Model Garden's controller wants it.
    assert trainer.summary_interval % trainer.steps_per_loop == 0
    assert trainer.checkpoint_interval <= trainer.train_steps
    assert trainer.validation_interval <= trainer.train_steps


def test_kinetics_has_each_model_with_and_without_smoothing():
    assert set(KINETICS) <= set(PREPARED)
    assert {file.stem for file in KINETICS} == {
        f"kinetics600_{model_id}_{kind}{grw}"
        for model_id in CLIPS
        for kind in ("stream", "base")
        for grw in ("", "_grw")
    }


@each_kinetics
def test_model_is_the_one_of_its_name(file):
    name = file.stem.removeprefix("kinetics600_")
    official = f"movinet_{name.removesuffix('_grw')}"
    task = _parsed(file).task
    model = frozen(task.model, ModelConfig)
    # Baselines too, so that smoothing alone tells them apart.
    assert model == dataclasses.replace(PRESETS[name], frame_fit="square")
    assert task.init_checkpoint == official
    assert model.backbone == OFFICIAL[official].config.backbone
    assert model.num_classes == 600
    *clip, window = CLIPS[model.backbone.model_id]
    assert [model.size, model.frames, model.fps] == clip
    if name.endswith("_grw"):
        smoothing = model.smoothing
        assert smoothing.layers == ("final",)
        assert (smoothing.weight, smoothing.alpha) == (0.1, 0.5)
        assert smoothing.window == window
        assert model.frames % window == 0
        assert 0.5 <= window / model.fps <= 1.0
    else:
        assert model.smoothing.layers == ()


@each_tuned
def test_schedule_is_the_published_one(file):
    params = _parsed(file)
    trainer, batch_size = params.trainer, params.task.train_data.global_batch_size
    assert params.task.validation_data.global_batch_size == batch_size
    assert trainer.train_steps == round(EPOCHS * TRAINING_CLIPS / batch_size)
    assert trainer.validation_interval == round(TRAINING_CLIPS / batch_size)
    optimization = trainer.optimizer_config
    assert optimization.accumulation_steps == 1
    assert optimization.optimizer.type == "adamw"
    for rate, first, last in (
        (optimization.learning_rate, 1e-4, 1e-6),
        (optimization.head_learning_rate, 1e-3, 1e-5),
    ):
        cosine = rate.cosine
        assert rate.type == "cosine"
        assert cosine.initial_learning_rate == first
        assert cosine.alpha * first == pytest.approx(last)
        assert cosine.decay_steps == trainer.train_steps
    # Over the batch statistics too, and from the first step.
    assert optimization.ema.average_decay == 0.999
    assert not optimization.ema.trainable_weights_only


@each_kinetics
def test_expected_accuracy_is_of_the_checkpoint_it_starts_from(file):
    official = OFFICIAL[_parsed(file).task.init_checkpoint]
    text = " ".join(file.read_text().replace("\n#", " ").split())
    assert f"starts from has {official.top1:.2f} % (Model Garden)" in text
    assert "not yet run" in text


def test_mobilenets_are_there_with_and_without_smoothing():
    assert {file.stem for file in MOBILENETS} == {
        f"kinetics600_mobilenet_v3_{size}{grw}"
        for size in ("small", "large")
        for grw in ("", "_grw")
    }


@pytest.mark.parametrize("file", MOBILENETS, ids=lambda file: file.stem)
def test_mobilenet_is_the_one_of_its_name(file):
    task = _parsed(file).task
    name = file.stem.removeprefix("kinetics600_")
    model = frozen(task.model, ModelConfig)
    assert model == dataclasses.replace(PRESETS[name], frame_fit="square")
    assert task.init_checkpoint == "imagenet"
    assert (model.frames, model.size, model.fps) == (50, 224, 5)
    assert model.smoothing.layers == (("final",) if name.endswith("_grw") else ())


def test_slowonly_is_there_as_in_the_paper():
    networks = ("mini_kinetics_slowonly_34", "mini_kinetics_slowonly_50")
    assert {file.stem for file in SLOWONLY} == {
        f"{network}{rms}"
        for network in (*networks, "kinetics400_slowonly_50")
        for rms in ("", "_rms", "_rms_gf")
    }


@each_slowonly
def test_slowonly_differs_by_its_regulariser_alone(file):
    model = frozen(_parsed(file).task.model, ModelConfig)
    rms = model.regularization
    assert rms.methods == (("rms",) if "_rms" in file.stem else ())
    assert rms.rms.filter == ("gaussian" if file.stem.endswith("_gf") else "mean")
    assert (rms.rms.kernel_size, rms.rms.std) == (3, 0.4)
    assert rms.rms.distribution == "normal(1, 0.5)"
    plain = CONFIGS / f"{re.sub('_rms(_gf)?', '', file.stem)}.yaml"
    params, baseline = (_parsed(f).as_dict() for f in (file, plain))
    for config in (params, baseline):
        del config["task"]["model"]["regularization"]
    assert params == baseline


@each_slowonly
def test_slowonly_is_fed_and_evaluated_as_in_the_paper(file):
    params = _parsed(file)
    model, data = params.task.model, params.task.train_data
    assert model.num_classes == (200 if file.stem.startswith("mini") else 400)
    assert (model.frames, model.size, model.frames * 25 / model.fps) == (8, 224, 64)
    assert (data.aug_min_area_ratio, data.aug_max_area_ratio) == (0.25, 1)
    aspects = (data.aug_min_aspect_ratio, data.aug_max_aspect_ratio)
    assert aspects == pytest.approx((3 / 4, 4 / 3))
    command = _command(file, "scripts.evaluate")
    flags = {key: int(command[key]) for key in ("clips", "crops", "size")}
    assert EvaluationConfig(**flags).clips == 10
    assert (flags["crops"], flags["size"]) == (3, 256)
    assert command["checkpoint"] == f"runs/{file.stem}/best_ckpt"


@each_slowonly
def test_slowonly_schedule_covers_its_epochs(file):
    trainer = _parsed(file).trainer
    clips = 80_000 if file.stem.startswith("mini") else 240_000
    epoch = clips // 64
    assert trainer.train_steps == 196 * epoch
    assert trainer.validation_interval == epoch
    assert trainer.optimizer_config.warmup.linear.warmup_steps == 34 * epoch
    assert trainer.optimizer_config.learning_rate.cosine.initial_learning_rate == 0.1
