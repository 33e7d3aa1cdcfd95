"""Tests of configs/: each file has its command, and says nothing that changes nothing.

The published recipes are compositions: an experiment, a data set's file, an overlay.
"""

import collections
import dataclasses
import functools
import pathlib
import re
import shlex

import pytest
import yaml
from former_recipes import FORMER_RECIPES, FORMER_SMOKE
from official.core import exp_factory
from official.core.train_utils import ParseConfigOptions

from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.evaluation.evaluate import EvaluationConfig
from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS
from grw_tf.training.experiments.parsing import leaves, parse_experiment
from grw_tf.training.experiments.video_classification import experiment, fill_in
from grw_tf.training.experiments.yaml_config import frozen
from grw_tf.weights.official import OFFICIAL

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
OVERLAYS = [file for file in FILES if file.read_text().startswith("# Overlay: ")]
DATA = [file for file in FILES if file not in OVERLAYS]
PREPARED = [file for file in DATA if "scripts.prepare_videos" in file.read_text()]
KINETICS600 = [file for file in DATA if file.stem.startswith("kinetics600_")]
SLOWONLY = [file for file in DATA if file.stem.endswith("_25fps")]
SOMETHING = CONFIGS / "something_something_v2.yaml"

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
MOVINETS = [f"{model_id}_{kind}" for model_id in CLIPS for kind in ("stream", "base")]
MOBILENETS = ["mobilenet_v3_small", "mobilenet_v3_large"]
NETWORKS = [
    ("mini_kinetics_25fps", "slowonly_34"),
    ("mini_kinetics_25fps", "slowonly_50"),
    ("kinetics400_25fps", "slowonly_50"),
    ("kinetics400_25fps", "slowfast_50_8x8"),
    ("kinetics400_25fps", "csn_ip_50"),
]

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_data = pytest.mark.parametrize("file", DATA, ids=lambda file: file.stem)
each_movinet = pytest.mark.parametrize("model", MOVINETS)
each_tuned = pytest.mark.parametrize("model", MOVINETS + MOBILENETS)
each_grw = pytest.mark.parametrize("grw", [False, True], ids=["", "grw"])
each_network = pytest.mark.parametrize(("data", "network"), NETWORKS)
each_rms = pytest.mark.parametrize("rms", ["", "rms", "rms_gf"])


def _flags(text):
    """Returns the values of flags by name, each a list."""
    flags = collections.defaultdict(list)
    for word in shlex.split(text):
        name, _, value = word.removeprefix("--").partition("=")
        flags[name].append(value)
    return dict(flags)


def _command(file, program):
    """Returns the flags of a program's command in the header."""
    header = "\n".join(
        line[1:] for line in file.read_text().splitlines() if line.startswith("#")
    )
    (text,) = re.findall(rf"python -m {program} ((?:.*\\\n)*.*)", header)
    return _flags(text.replace("\\\n", " "))


def _parsed(flags):
    """Returns the experiment that a command runs, with its files in this checkout."""
    (name,) = flags["experiment"]
    overrides = flags.get("params_override", [""])
    return _composed(name, *flags["config_file"], override=overrides[0])


@functools.cache
def _composed(name, *files, override=""):
    return parse_experiment(
        ParseConfigOptions(
            experiment=name,
            config_file=[str(ROOT / file) for file in files],
            params_override=override,
        )
    )


def _kinetics600(model, grw):
    """Returns the recipe of a model on Kinetics-600."""
    fps = 12 if model.startswith("a3") else 5
    files = [f"configs/kinetics600_{fps}fps.yaml"] + ["configs/grw.yaml"] * grw
    mobile = model in MOBILENETS
    override = "task.model.head.dropout_rate=0.0" if mobile and grw else ""
    name = model if mobile else f"movinet_{model}"
    return _composed(name, *files, override=override)


def _slowonly(data, network, rms):
    overlays = [f"configs/{rms}.yaml"] if rms else []
    return _composed(network, f"configs/{data}.yaml", *overlays)


def _value(params, path):
    return functools.reduce(getattr, path.split("."), params)


def _own(value):
    """Returns a YAML value as configs hold it."""
    return tuple(value) if isinstance(value, list) else value


@each_file
def test_command_of_the_header_runs_the_file(file):
    command = _command(file, "scripts.train")
    assert f"configs/{file.name}" in command["config_file"]
    params = _parsed(command)
    with pytest.raises(ValueError, match="locked"):
        params.override({"trainer": {"train_steps": 1}})
    assert frozen(params.task.model, ModelConfig)
    text = file.read_text()
    assert "# Hardware" in text and "Expected:" in text


def test_each_file_is_of_a_data_set_or_an_overlay():
    assert {file.stem for file in OVERLAYS} >= {"grw", "rms", "rms_gf"}
    assert {file.stem for file in DATA} == {
        *("kinetics600_5fps", "kinetics600_12fps"),
        *("kinetics400_25fps", "mini_kinetics_25fps", "something_something_v2"),
        *("own_clips", "motion_clips", "motion_clips_scratch"),
        *("ucf101", "smoke"),
        *("airplanes", "airplanes_hard", "airplanes_regularizers"),
    }
    assert set(KINETICS600 + SLOWONLY) <= set(PREPARED)
    assert len(KINETICS600) == len(SLOWONLY) == 2


@pytest.mark.parametrize("file", PREPARED, ids=lambda file: file.stem)
def test_records_of_the_header_are_those_it_trains_on(file):
    command = _command(file, "scripts.prepare_videos")
    fields = {field.name for field in dataclasses.fields(PreparationConfig)}
    assert command.keys() <= fields
    params = _parsed(_command(file, "scripts.train"))
    for data in (params.task.train_data, params.task.validation_data):
        assert data.input_path.startswith(f"{command['output_dir'][0]}/")
    fps = float(command.get("fps", [PreparationConfig.fps])[0])
    # SlowOnly takes each eighth of the frames, from any of them on.
    assert fps == params.task.model.fps * (8 if file in SLOWONLY else 1)


@each_data
def test_each_line_changes_something(file):
    (name,) = _command(file, "scripts.train")["experiment"]
    params = exp_factory.get_exp_config(name)
    values = dict(leaves(yaml.safe_load(file.read_text())))
    assert values
    same = [path for path, value in values.items() if value == _value(params, path)]
    assert same == []


@pytest.mark.parametrize("file", OVERLAYS, ids=lambda file: file.stem)
def test_overlay_spells_out_the_papers_values_and_changes_no_data_set(file):
    command = _command(file, "scripts.train")
    params = _parsed(command)
    values = dict(leaves(yaml.safe_load(file.read_text())))
    for path, value in values.items():
        # The name of the last block is filled in.
        wanted = ("block4_layer3",) if value == ["last_block"] else _own(value)
        assert _value(params, path) == wanted, path
    plain = exp_factory.get_exp_config(command["experiment"][0])
    assert any(_value(plain, path) != _own(value) for path, value in values.items())
    for other in DATA:
        assert not values.keys() & dict(leaves(yaml.safe_load(other.read_text())))


@each_file
def test_intervals_fit(file):
    trainer = _parsed(_command(file, "scripts.train")).trainer
    # As the Model Garden's controller wants it.
    assert trainer.summary_interval % trainer.steps_per_loop == 0
    assert trainer.checkpoint_interval <= trainer.train_steps
    assert trainer.validation_interval <= trainer.train_steps


@each_movinet
@each_grw
def test_model_is_the_published_one(model, grw):
    official = f"movinet_{model}"
    task = _kinetics600(model, grw).task
    config = frozen(task.model, ModelConfig)
    *clip, window = CLIPS[config.backbone.model_id]
    # Baselines too, so that smoothing alone tells them apart.
    preset = dataclasses.replace(
        PRESETS[f"{model}_grw" if grw else model], frame_fit="square"
    )
    # The data set's file gives the window, which acts with layers alone.
    smoothing = dataclasses.replace(preset.smoothing, window=window)
    assert config == dataclasses.replace(preset, smoothing=smoothing)
    assert task.init_checkpoint == official
    assert config.backbone == OFFICIAL[official].config.backbone
    assert config.num_classes == 600
    assert [config.size, config.frames, config.fps] == clip
    if grw:
        assert preset.smoothing.window == window
        assert config.smoothing.layers == ("final",)
        assert (config.smoothing.weight, config.smoothing.alpha) == (0.1, 0.5)
        assert config.frames % window == 0
        assert 0.5 <= window / config.fps <= 1.0
    else:
        assert config.smoothing.layers == ()


@each_tuned
@each_grw
def test_schedule_is_the_published_one(model, grw):
    params = _kinetics600(model, grw)
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


@each_movinet
def test_expected_accuracy_is_of_the_checkpoint_it_starts_from(model):
    params = _kinetics600(model, grw=True)
    official = OFFICIAL[params.task.init_checkpoint]
    file = CONFIGS / f"kinetics600_{params.task.model.fps:.0f}fps.yaml"
    text = " ".join(file.read_text().replace("\n#", " ").split())
    assert f"movinet_{model} {official.top1:.2f}, " in text
    assert "of the official weights that training starts from (Model Garden)" in text
    assert "not yet run" in text


@pytest.mark.parametrize("model", MOBILENETS)
@each_grw
def test_mobilenet_is_the_published_one(model, grw):
    task = _kinetics600(model, grw).task
    config = frozen(task.model, ModelConfig)
    preset = PRESETS[f"{model}_grw" if grw else model]
    # The hidden layer's activation acts in the official head alone.
    head = dataclasses.replace(preset.head, activation="hard_swish")
    assert config == dataclasses.replace(preset, head=head, frame_fit="square")
    assert task.init_checkpoint == "imagenet"
    assert (config.frames, config.size, config.fps) == (50, 224, 5)
    assert config.smoothing.layers == (("final",) if grw else ())


@each_network
@each_rms
def test_slowonly_differs_by_its_regulariser_alone(data, network, rms):
    config = frozen(_slowonly(data, network, rms).task.model, ModelConfig)
    chosen = config.regularization
    assert chosen.methods == (("rms",) if rms else ())
    assert chosen.rms.filter == ("gaussian" if rms == "rms_gf" else "mean")
    assert (chosen.rms.kernel_size, chosen.rms.std) == (3, 0.4)
    assert chosen.rms.distribution == "normal(1, 0.5)"
    params, baseline = (_slowonly(data, network, r).as_dict() for r in (rms, ""))
    for values in (params, baseline):
        del values["task"]["model"]["regularization"]
    assert params == baseline


@each_network
@each_rms
def test_slowonly_is_fed_as_in_the_paper(data, network, rms):
    params = _slowonly(data, network, rms)
    model, clips = params.task.model, params.task.train_data
    assert model.num_classes == (200 if data.startswith("mini") else 400)
    frames = 32 if network.startswith("slowfast") else 8
    assert (model.frames, model.size) == (frames, 224)
    assert model.frames * 25 / model.fps == 64
    assert (clips.aug_min_area_ratio, clips.aug_max_area_ratio) == (0.25, 1)
    aspects = (clips.aug_min_aspect_ratio, clips.aug_max_aspect_ratio)
    assert aspects == pytest.approx((3 / 4, 4 / 3))


@pytest.mark.parametrize("file", [*SLOWONLY, SOMETHING], ids=lambda file: file.stem)
def test_slowonly_is_evaluated_as_in_the_paper(file):
    command = _command(file, "scripts.evaluate")
    flags = {key: int(command[key][0]) for key in ("clips", "crops", "size")}
    assert EvaluationConfig(**flags).clips == 10
    assert (flags["crops"], flags["size"]) == (3, 256)
    (folder,) = _command(file, "scripts.train")["model_dir"]
    assert command["checkpoint"] == [f"{folder}/best_ckpt"]


@each_network
@each_rms
def test_slowonly_schedule_covers_its_epochs(data, network, rms):
    trainer = _slowonly(data, network, rms).trainer
    clips = 80_000 if data.startswith("mini") else 240_000
    epoch = clips // 64
    assert trainer.train_steps == 196 * epoch
    assert trainer.validation_interval == epoch
    assert trainer.optimizer_config.warmup.linear.warmup_steps == 34 * epoch
    assert trainer.optimizer_config.learning_rate.cosine.initial_learning_rate == 0.1


@pytest.mark.parametrize("rms", [False, True])
def test_something_something_is_trained_as_in_the_paper(rms):
    overlays = ["configs/rms.yaml"] * rms
    params = _composed("slowfast_50_8x8", f"configs/{SOMETHING.name}", *overlays)
    model, trainer = params.task.model, params.trainer
    assert (model.num_classes, model.frames, model.size) == (174, 64, 224)
    assert model.regularization.methods == (("rms",) if rms else ())
    assert not params.task.train_data.aug_random_flip
    assert "kinetics400_slowfast_50_8x8" in params.task.init_checkpoint
    epoch = 168_913 // params.task.train_data.global_batch_size
    assert trainer.train_steps == 22 * epoch
    rate = trainer.optimizer_config.learning_rate
    assert rate.type == "stepwise"
    assert rate.stepwise.values == [0.01, 0.001, 0.0001]
    assert rate.stepwise.boundaries == [14 * epoch, 18 * epoch]


def _replacement(name, *files):
    """Returns the flags that the error about a former name gives."""
    with pytest.raises(ValueError, match=" is now --experiment=") as refused:
        _composed(name, *files)
    return _flags(str(refused.value).split(" is now ")[1].partition(";")[0])


def _acting(params):
    """Returns the values that act, by path."""
    values = {path: _own(value) for path, value in leaves(params.as_dict())}
    if not values["task.model.smoothing.layers"]:
        del values["task.model.smoothing.window"]
    if values["task.model.head.type"] != "official":
        del values["task.model.head.activation"]
    return values


def _resolved(preset, body):
    params = experiment(preset)
    params.override(body)
    fill_in(params)
    return params


@pytest.mark.parametrize("stem", FORMER_RECIPES)
def test_former_file_is_answered_with_the_command_of_the_same_recipe(stem):
    preset, body = FORMER_RECIPES[stem]
    name = preset if re.match("slowonly|mobile", preset) else f"movinet_{preset}"
    flags = _replacement(name, f"configs/{stem}.yaml")
    assert all((ROOT / file).exists() for file in flags["config_file"])
    assert _acting(_parsed(flags)) == _acting(_resolved(preset, body))


def test_smoke_config_with_smoothing_is_the_former_one():
    params = _composed("movinet_a0_stream", "configs/smoke.yaml", "configs/grw.yaml")
    assert params.as_dict() == _resolved(*FORMER_SMOKE).as_dict()


def test_former_experiment_is_answered_with_what_it_set():
    with pytest.raises(ValueError, match="also set task.model.frame_fit to square"):
        _composed("movinet_a3_base_grw")
    flags = _replacement("movinet_a3_base_grw", "configs/smoke.yaml")
    assert flags["experiment"] == ["movinet_a3_base"]
    # Before other files, which may override what an experiment sets.
    assert flags["config_file"][0] == "configs/grw.yaml"
    assert flags["config_file"][1].endswith("configs/smoke.yaml")
