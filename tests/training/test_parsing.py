"""Tests of experiments, and of reading them from flags and YAML."""

import dataclasses
import pathlib

import pytest
import yaml
from everyday import slow_but
from official.core import exp_factory, train_utils
from official.core.train_utils import ParseConfigOptions

from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS
from grw_tf.training.experiments.parsing import parse_experiment, parse_recipe
from grw_tf.training.experiments.recipe_text import recipe_text
from grw_tf.training.experiments.video_classification import EXPERIMENTS
from grw_tf.training.experiments.yaml_config import frozen

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
EXPERIMENT = "movinet_a0_stream"
GRW = str(CONFIGS / "grw.yaml")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_preset_is_an_experiment(name):
    config = exp_factory.get_exp_config(name)
    assert frozen(config.task.model, ModelConfig) == PRESETS[EXPERIMENTS[name]]


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith("_grw")])
def test_each_preset_with_smoothing_is_an_experiment_with_an_overlay(name):
    preset = PRESETS[name]
    movinet = preset.backbone.family.name == "movinet"
    params = _parse(
        ("task.model.frame_fit", "square"),
        ("task.model.smoothing.window", preset.smoothing.window),
        ("task.model.head.activation", preset.head.activation),
        ("task.model.head.dropout_rate", preset.head.dropout_rate),
        experiment=f"{'movinet_' if movinet else ''}{name.removesuffix('_grw')}",
    )
    assert frozen(params.task.model, ModelConfig) == preset


@pytest.mark.parametrize("off", [{"methods": ["cutmix"]}, {}])
def test_regularizer_that_is_set_but_off_is_refused(off):
    settings = {"rms": {"filter": "gaussian"}} | off
    _assert_refused(
        "it does nothing without rms in task.model.regularization.methods: add it",
        ("task.model.regularization", settings),
    )


def test_regularizer_takes_whole_numbers_and_lists():
    shake_drop = {"alpha": [0, 1], "beta": [-1, 1], "rate": 0.25}
    regularization = {"methods": ["shake_drop"], "shake_drop": shake_drop}
    params = _parse(("task.model.regularization", regularization))
    config = frozen(params.task.model, ModelConfig)
    assert config.regularization.shake_drop.alpha == (0.0, 1.0)
    assert config.regularization.methods == ("shake_drop",)


@dataclasses.dataclass
class Options(ParseConfigOptions):
    """The Model Garden's flags."""

    config_file: list = dataclasses.field(default_factory=lambda: [GRW])
    mode: str | None = None
    gin_params: list | None = None


def _parse(*overrides, **options):
    """Parses with keys overridden, each given by its path in dots and its value."""
    values = {}
    for path, value in overrides:
        inner = values
        *folders, key = path.split(".")
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[key] = value
    given = {"experiment": EXPERIMENT, "params_override": yaml.safe_dump(values)}
    return parse_experiment(Options(**given | options))


def _assert_refused(message, *overrides, **options):
    with pytest.raises(ValueError) as refused:
        _parse(*overrides, **options)
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


WRONG = {
    "experiment": (
        {"experiment": "movinet_a0_steam"},
        "Unknown experiment 'movinet_a0_steam'; did you mean 'movinet_a0_stream'",
    ),
    "key": (
        {"params_override": "trainer.trian_steps=3"},
        "unknown key 'trainer.trian_steps'; did you mean 'train_steps'",
    ),
    "type": (
        {"params_override": "trainer.train_steps=many"},
        "trainer.train_steps must be of type int, not 'many'",
    ),
    "nothing that can be read": (
        {"params_override": "trainer.train_steps=3 task"},
        "--params_override: trainer.train_steps must be of type int, not '3 task'",
    ),
    "no mapping": (
        {"params_override": "[a, b]"},
        "--params_override: all of it must be a mapping of keys, not ['a', 'b']",
    ),
    "no file": ({"params_override": "none.yaml"}, "no config file 'none.yaml'"),
    "no YAML": (
        {"params_override": "{task: "},
        "--params_override is not YAML with keys",
    ),
    "config file": (
        {"config_file": ["none.yaml"]},
        "There is no config file 'none.yaml'",
    ),
    "folder": ({"config_file": ["/"]}, "Config file '/' cannot be read: "),
    "mode": (
        {"mode": "train_and_validate"},
        "--mode=train_and_validate is not supported: choose train_and_eval",
    ),
    "gin": ({"gin_params": ["x=1"]}, "--gin_params does nothing here: set keys in"),
    "tf.data service": ({"tf_data_service": "x"}, "--tf_data_service does nothing"),
    "TPU": ({"tpu": "local"}, "needs runtime.distribution_strategy tpu"),
}


@pytest.mark.parametrize("options, message", WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_in_one_line(options, message):
    _assert_refused(message, **options)


UPDATES = "trainer.optimizer_config"
RATE = f"{UPDATES}.learning_rate"
TRAIN, VALIDATION = "task.train_data", "task.validation_data"


@pytest.mark.parametrize(
    "path, value, message",
    [
        ("task.model.smoothing.windw", 3, "did you mean 'window'"),
        ("trainer.default_params", None, "unknown key 'trainer.default_params'"),
        ("task", 3, "--params_override: task must be a mapping of keys, not 3"),
        (f"{UPDATES}.clip_norm", "abc", "of type float or null, not 'abc"),
        (f"{UPDATES}.clip_norm", True, "of type float or null, not True"),
        (f"{UPDATES}.ema", 3, "ema must be a mapping of keys, not 3"),
        (f"{RATE}.cosine.alpha", float("nan"), "must be of type float, not nan"),
        ("trainer.train_steps", 10**30, "must be of type int, not 1000"),
        ("trainer.train_steps", 10.0, "must be of type int, not 10.0"),
        ("task.init_checkpoint", 5, "must be of type str or null, not 5"),
        ("task.model.smoothing.layers", "final", "must be of type list of str, not"),
        ("task.model.smoothing.layers", [3], "layers[0] must be of type str, not 3"),
        ("task.losses.class_weights", [[1]], "class_weights must be of type"),
        ("task.losses.class_weights", {"a": 1}, "class_weights must be of type"),
        (f"{TRAIN}.aug_type", "randaug", "aug_type must be a mapping of keys"),
        (f"{TRAIN}.aug_type.type", "randaugg", "did you mean 'randaug'?"),
        (f"{TRAIN}.aug_type.randaug.magnitude", "x", "must be of type float, not 'x'"),
        (f"{TRAIN}.aug_type.type", "ssd_random_crop", "a type, autoaug or randaug"),
        (f"{TRAIN}.mixup_and_cutmix", True, "must be a mapping of keys, not True"),
        (f"{TRAIN}.mixup_and_cutmix.foo", 1, "unknown key 'task.train_data.mixup_and"),
        (f"{TRAIN}.input_path", ["a"], "must be of type str, not ['a']"),
        (f"{TRAIN}.input_path", {"a": "b"}, "must be of type str, not {'a': 'b'}"),
        (f"{RATE}.type", "cosin", "learning_rate.type 'cosin'; did you mean 'cosine'?"),
        (f"{UPDATES}.optimizer.type", "adamww", "did you mean 'adamw'?"),
        (f"{UPDATES}.optimizer.type", None, "is null: it must be adamw"),
        (f"{UPDATES}.optimizer.type", "slide", "is 'slide': it must be"),
        (f"{RATE}.type", None, "is null: it must be the name of a schedule"),
        (f"{RATE}.cosine.initial_learning_rate", None, "is null: it must be set"),
        (f"{RATE}.cosine.decay_steps", 0, "is 0: it must be 1 or more"),
        (f"{RATE}.type", "stepwise", "stepwise.boundaries is null: it must be set"),
        (f"{RATE}.type", "step_cosine_with_offset", "boundaries is null: it must"),
        (f"{UPDATES}.warmup.type", "linear", "warmup_steps is null: it "),
        ("trainer.train_steps", 0, "trainer.train_steps is 0: it must be 1 or more"),
        ("trainer.max_to_keep", 0, "trainer.max_to_keep is 0: it must be 1 or more"),
        ("trainer.validation_steps", 0, "is 0: it must be 1 or more, or -1"),
        ("task.losses.label_smoothing", 1.0, "is 1.0: it must be from 0 to below 1"),
        ("task.losses.l2_weight_decay", -1, "is -1.0: it must be 0 or more"),
        ("task.seed", -1, "task.seed is -1: it must be from 0 to 4294967295"),
        (f"{TRAIN}.num_test_crops", 2, "is 2: it must be 1 or 3"),
        (f"{TRAIN}.dtype", "float64", "'float64': it must be float32, bfloat16 or flo"),
        (f"{TRAIN}.is_training", False, "is false: it must be true"),
        (f"{VALIDATION}.is_training", True, "is true: it must be false"),
        (f"{VALIDATION}.drop_remainder", True, "is true: it must be false"),
        (f"{TRAIN}.aug_min_area_ratio", 0, "is 0.0: it must be above 0"),
        (f"{TRAIN}.aug_max_area_ratio", 2, "is 2.0: it must be at most 1"),
        (f"{TRAIN}.aug_max_aspect_ratio", 0.1, "must be aug_min_aspect_ratio or more"),
        ("task.losses.one_hot", False, "label_smoothing is 0.1: it does nothing with"),
        ("trainer.best_checkpoint_metric_comp", "lower", "must be higher for best"),
        ("trainer.best_checkpoint_eval_metric", "class_loss", "must be lower for best"),
        (
            "trainer",
            {
                "batch_norm_recalibration": 8,
                "best_checkpoint_export_subdir": "",
                "optimizer_config": {"ema": None},
            },
            "batch_norm_recalibration is 8: it would affect evaluations but no check",
        ),
        ("runtime.distribution_strategy", "off", "is 'off': it is not supported"),
        ("runtime.enable_xla", True, "does nothing without GPUs"),
        ("runtime.loss_scale", 128, "is 128.0: it needs runtime.mixed_precision_dtype"),
        ("runtime.worker_hosts", "a,b", "leave it null: name the hosts in the env"),
        ("runtime.run_eagerly", True, "does nothing here, so leave it false"),
        ("trainer.recovery_max_trials", 0, "does nothing here, so leave it -1"),
        (f"{TRAIN}.one_hot", False, "leave it true: set task.losses.one_hot"),
        (f"{TRAIN}.seed", 3, "leave it null: set task.seed"),
        (f"{VALIDATION}.zero_centering_image", True, "models take pixels from 0 to"),
        (f"{VALIDATION}.audio_feature_shape", [1], "audio is not supported"),
    ],
)
def test_wrong_values_are_refused_in_one_line(path, value, message):
    _assert_refused(message, (path, value))


@pytest.mark.parametrize(
    "path",
    [
        *("task", "task.model", "task.model.head", "task.losses", TRAIN, "runtime"),
        *("trainer", UPDATES, RATE, f"{RATE}.cosine"),
        f"{UPDATES}.head_learning_rate",
        f"{UPDATES}.optimizer",
    ],
)
def test_no_config_is_null(path):
    _assert_refused(
        f"--params_override: {path} must be a mapping of keys, not null", (path, None)
    )


def test_values_are_refused_by_what_goes_with_them():
    _assert_refused(
        "task.losses.one_hot is false: it must be true with task.train_data.mixup",
        ("task.losses", {"one_hot": False, "label_smoothing": 0}),
        (f"{TRAIN}.mixup_and_cutmix", {}),
    )
    _assert_refused(
        "train_data.temporal_stride is 2: it does nothing with input_path",
        (TRAIN, {"input_path": "a", "temporal_stride": 2}),
    )
    _assert_refused(
        "early_stopping_patience is 3: it does nothing with --mode=train:",
        ("trainer.early_stopping_patience", 3),
        mode="train",
    )
    _assert_refused(
        "runtime.loss_scale is 'some': it must be a number above 0, dynamic or null",
        ("runtime", {"mixed_precision_dtype": "float16", "loss_scale": "some"}),
    )


def test_values_are_of_their_fields_types():
    params = _parse(
        (f"{RATE}.cosine.initial_learning_rate", 1),
        (f"{UPDATES}.clip_norm", 2),
        (f"{UPDATES}.ema.average_decay", 1),
        (f"{TRAIN}.aug_type", {"type": "randaug", "randaug": {"magnitude": 9}}),
        (f"{TRAIN}.mixup_and_cutmix", {"prob": 1}),
        ("task.model.smoothing.layers", []),
    )
    data, optimization = params.task.train_data, params.trainer.optimizer_config
    for value in (
        optimization.learning_rate.cosine.initial_learning_rate,
        optimization.clip_norm,
        optimization.ema.average_decay,
        data.aug_type.randaug.magnitude,
        data.mixup_and_cutmix.prob,
    ):
        assert type(value) is float
    assert params.task.model.smoothing.layers == ()


def test_null_is_for_what_may_be_none():
    params = _parse(
        (f"{UPDATES}.ema", None),
        (f"{UPDATES}.clip_norm", None),
        (f"{TRAIN}.aug_type", None),
        ("task.losses.class_weights", None),
    )
    assert params.trainer.optimizer_config.ema is None


def test_schedules_that_are_complete_are_taken():
    stepwise = {"type": "stepwise", "stepwise": {"boundaries": [5], "values": [1, 0.1]}}
    params = _parse((RATE, stepwise), (f"{UPDATES}.warmup", {}))
    assert params.trainer.optimizer_config.learning_rate.get().values == [1.0, 0.1]


def test_tpu_of_the_config_is_kept_without_the_flag():
    strategy = ("runtime.distribution_strategy", "tpu")
    assert _parse(strategy, ("runtime.tpu", "a")).runtime.tpu == "a"
    assert _parse(strategy, ("runtime.tpu", "a"), tpu="b").runtime.tpu == "b"


def test_empty_file_changes_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# Nothing yet.\n")
    assert _parse(config_file=[GRW, str(tmp_path / "empty.yaml")]) == _parse()


def test_file_of_overrides_is_named_in_errors(tmp_path):
    (tmp_path / "few.yaml").write_text("trainer: {train_steps: few}\n")
    file = f"{tmp_path}/few.yaml"
    message = f"{file}: trainer.train_steps must be of type int, not 'few'"
    _assert_refused(message, params_override=file)
    _assert_refused(message, config_file=[file])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_has_official_weights_or_says_that_it_has_none(name):
    official = ("task.init_checkpoint", "official")
    if name.startswith(("slowonly", "slowfast", "csn")):
        message = f"is 'official', but '{name}' has no official weights: name a check"
        _assert_refused(message, official, experiment=name)
    else:
        weights = "imagenet" if "mobilenet" in name else name
        assert _parse(official, experiment=name).task.init_checkpoint == weights


def test_toy_model_has_no_official_weights():
    model = ("task.model.backbone.model_id", "nano")
    _assert_refused("'nano' has no", model, ("task.init_checkpoint", "official"))


def test_sources_are_the_last_that_set_a_value(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "task: {init_checkpoint: official, model: {smoothing: {weight: 0.2}}}\n"
    )
    mine = str(tmp_path / "mine.yaml")
    options = Options(
        experiment=EXPERIMENT,
        config_file=[GRW, mine],
        params_override="trainer.train_steps=7,runtime.distribution_strategy=tpu",
        tpu="a",
    )
    recipe = parse_recipe(options)
    assert recipe.params == parse_experiment(options)
    expected = {
        "task.model.smoothing.alpha": GRW,
        "task.model.smoothing.weight": mine,
        "task.init_checkpoint": f"{mine}, filled in",
        "trainer.train_steps": "--params_override",
        "trainer.optimizer_config.learning_rate.cosine.decay_steps": "filled in",
        "runtime.tpu": "--tpu",
    }
    assert {path: recipe.sources[path] for path in expected} == expected
    assert "task.model.frames" not in recipe.sources


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["", "airplanes.yaml", "grw_intermediate.yaml", "multilabel.yaml"],
        ["", *sorted(f.name for f in CONFIGS.glob("*.yaml"))],
    ),
)
def test_kept_and_printed_config_are_the_same_config(name, tmp_path):
    options = Options(
        experiment=EXPERIMENT,
        config_file=[str(CONFIGS / name)] if name else [],
        params_override="{task: {train_data: {aug_type: {type: randaug}}}}",
    )
    recipe = parse_recipe(options)
    text = recipe_text(recipe)
    (tmp_path / "printed.yaml").write_text(text)
    train_utils.serialize_config(recipe.params, str(tmp_path))
    for file in ("params.yaml", "printed.yaml"):
        again = _parse(config_file=[str(tmp_path / file)])
        assert again.as_dict() == recipe.params.as_dict()
    lines = [line for line in text.splitlines() if not line.endswith(":")]
    assert all("  # " in line for line in lines)
    assert "      type: randaug  # --params_override" in lines
    assert "  train_steps: " in text and "run_eagerly" not in text


@pytest.mark.slow
def test_program_prints_the_config_and_trains_nothing(run_program):
    command = ["scripts.train", f"--experiment={EXPERIMENT}", f"--config_file={GRW}"]
    done = run_program(*command, "--print_config")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["task"]["model"]["frames"] == 50
    assert f"      layers: [final]  # {GRW}\n" in done.stdout
    done = run_program(*command)
    assert done.returncode
    assert "Flag --mode must have a value other than None." in done.stderr
