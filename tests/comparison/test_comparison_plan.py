"""Tests of planning a comparison: what is checked, and what its runs are given."""

import dataclasses
import json
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
from finished_runs import CLIPS, NAMES, finish, plan_of, write_odd_records
from training_runs import Options

from grw_tf.common.paired_timing import Ratio
from grw_tf.comparison import preflight
from grw_tf.comparison import timing as timing_module
from grw_tf.comparison.run import EXPERIMENT_FILE, MEASURES_FILE
from grw_tf.training.experiments.parsing import parse_experiment


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_odd_records(tmp_path_factory.mktemp("clips"))


def _parsed(plan, run):
    plan.prepare(run)
    files = [str(run.folder / EXPERIMENT_FILE)]
    return parse_experiment(
        Options(experiment=run.experiment, config_file=files)
    ).as_dict()


def test_runs_differ_in_what_their_variant_says_and_in_the_seed(records, tmp_path):
    plan = plan_of(records, tmp_path, "rms,grw", seeds=2)
    parsed = {(r.variant, r.seed): _parsed(plan, r) for r in plan.runs()}
    assert list(parsed) == [
        (name, seed) for seed in (0, 1) for name in ("baseline", "rms", "grw")
    ]
    models = {key: params["task"].pop("model") for key, params in parsed.items()}
    for seed in (0, 1):
        assert models["rms", seed].pop("regularization")["methods"] == ("rms",)
        assert models["grw", seed].pop("smoothing")["layers"] == ("final",)
    plain = models["baseline", 0]
    assert plain["smoothing"]["layers"] == plain["regularization"]["methods"] == ()
    for model in models.values():
        assert model == {key: plain[key] for key in model}
    for (_, seed), params in parsed.items():
        assert params["task"].pop("seed") == seed
    assert all(params == parsed["baseline", 0] for params in parsed.values())


def test_seeds_go_on_from_the_configs_own(records, tmp_path):
    plan = plan_of(records, tmp_path, override={"task": {"seed": 7}}, seeds=2)
    assert plan.seeds == (7, 8)
    # Only files of the first seed are exported.
    assert [run.export_as for run in plan.runs()] == ["auto"] * 3 + [""] * 3


def test_early_stopping_would_give_variants_other_budgets(records, tmp_path):
    patience = {"trainer": {"early_stopping_patience": 3}}
    plan = plan_of(records, tmp_path, override=patience, seeds=1)
    params = _parsed(plan, plan.runs()[0])
    assert params["trainer"]["early_stopping_patience"] == 0
    assert "Early stopping is off" in plan.remarks[0]


def test_methods_that_no_variant_names_are_told(records, tmp_path):
    regularization = {"methods": ["cutmix"]}
    model = {"regularization": regularization, "smoothing": {"layers": []}}
    plan = plan_of(records, tmp_path, "rms", {"task": {"model": model}})
    assert plan.remarks == (
        "The config's cutmix acts in no variant, as none names it.",
    )


@pytest.mark.parametrize(
    ("variant", "head"), [("grw", "transformer"), ("grw_mean", "mean")]
)
def test_the_official_head_gives_way_for_all_variants(records, tmp_path, variant, head):
    official = {"head": {"type": "official"}, "smoothing": {"layers": []}}
    plan = plan_of(records, tmp_path, variant, {"task": {"model": official}})
    assert {v.config.head.type for v in plan.variants} == {head}
    assert f"the baseline too, have a {head} head" in plan.remarks[0]


def test_smoothing_that_no_variant_names_is_told(records, tmp_path):
    model = {"smoothing": {"layers": ["stem"], "window": 4}}
    plan = plan_of(records, tmp_path, "rms", {"task": {"model": model}})
    assert plan.remarks == (
        "The config's smoothing of stem acts in no variant, as none names it.",
    )


def test_test_clips_are_the_validations_unless_given(records, tmp_path):
    same = plan_of(records, tmp_path)
    assert same.test_is_validation and same.test_is_training
    other = write_odd_records(tmp_path / "test")
    plan = plan_of(records, tmp_path / "out", test_records=other)
    assert not plan.test_is_validation and not plan.test_is_training
    assert plan.runs()[0].test_clips.input_path == other
    assert plan.class_names == NAMES


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variants": "grww"}, "did you mean 'grw'"),
        ({"seeds": 0}, "seeds is 0: it must be above 0"),
        ({"timing_rounds": -1}, "timing_rounds is -1: give 0 or more"),
        ({"quantization": "int4"}, "'int4': it must be one of auto, .*, or empty"),
        ({"output_dir": ""}, "output_dir is empty"),
        ({"output_dir": "gs://bucket/x"}, "runs go to a local folder"),
        ({"output_dir": "a,b"}, "a,b: files in it are listed by commas"),
        (
            {"variants": "grw,grw:smoothing.alpha=0.5"},
            "grw and grw:smoothing.alpha=0.5 are the same with this config, GRW"
            " smoothing of the final embeddings: .*: leave one out",
        ),
        (
            {
                "variants": "grw+grw_intermediate,"
                "grw_intermediate:smoothing.layers=[block1_layer1]+grw",
            },
            "grw\\+grw_intermediate and grw_intermediate:.* are the same",
        ),
        (
            {"variants": "grw:smoothing.layers=[]:smoothing.weight=0.5"},
            "baseline and grw:.* are the same",
        ),
        (
            {"variants": "grw_intermediate:smoothing.layers=[block9]"},
            "'block9', which is no place of nano .*; known",
        ),
        (
            {"test_records": "a", "test_tfds_split": "test"},
            "test_records is a and test_tfds_split is test: give one of them",
        ),
        (
            {"test_tfds_split": "test"},
            "test_tfds_split=test, but task.validation_data names no TFDS data set",
        ),
        ({"test_records": "nowhere-*"}, "No file matches nowhere-"),
        (
            {"override": {"task": {"model": {"smoothing": {"window": 9}}}}},
            "8 frames.*9|9.*8",
        ),
        (
            {"variants": "random_drop+shake_drop"},
            "random_drop and shake_drop: both drop a block's branch",
        ),
        (
            {"override": {"runtime": {"distribution_strategy": "tpu"}}},
            "strategy is tpu: comparisons run on one machine",
        ),
        (
            {"override": {"task": {"model": {"num_classes": 5}}}},
            "6 classes, task.model.num_classes is 5",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_run(
    records, tmp_path, fields, message
):
    with pytest.raises(ValueError, match=message) as caught:
        plan_of(records, **{"folder": tmp_path / "out"} | fields)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_variants_and_seeds_may_join_and_nothing_else_may_change(records, tmp_path):
    plan_of(records, tmp_path, "rms", seeds=1).claim()
    plan_of(records, tmp_path, "grw,cutmix", seeds=5).claim()
    longer = {"trainer": {"train_steps": 21}}
    other = plan_of(records, tmp_path, "rms", longer)
    message = "was begun with .*config.trainer.train_steps 20, not 21.*: give another"
    with pytest.raises(ValueError, match=message):
        other.claim()


def test_a_variant_that_changed_is_another_comparison(records, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {losses: {label_smoothing: 0.0}}")
    (tmp_path / "out").mkdir()
    plan_of(records, tmp_path / "out", f"{path},rms").claim()
    path.write_text("task: {losses: {label_smoothing: 0.2}}")
    plan_of(records, tmp_path / "out", "rms,cutmix").claim()
    with pytest.raises(ValueError, match="with variants.mine.task.losses.* 0.0, not 0"):
        plan_of(records, tmp_path / "out", str(path)).claim()


def test_records_that_changed_are_another_comparison(tmp_path):
    records = write_odd_records(tmp_path / "clips")
    plan = plan_of(records, tmp_path / "out")
    plan.folder.mkdir()
    plan.claim()
    with open(records, "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="was begun with files.*tfrecord"):
        plan.claim()


def test_records_that_are_gone_are_another_comparison(records, tmp_path):
    other = write_odd_records(tmp_path / "test")
    (tmp_path / "out").mkdir()
    plan_of(records, tmp_path / "out", test_records=f"{records},{other}").claim()
    file = tmp_path / "out" / "comparison.json"
    begun = json.loads(file.read_text())
    plan = plan_of(records, tmp_path / "out", test_records=records)
    with pytest.raises(ValueError, match="was begun with test_clips.input_path"):
        plan.claim()
    clips = begun["test_clips"] | {"input_path": records}
    file.write_text(json.dumps(begun | {"test_clips": clips}))
    with pytest.raises(ValueError, match=r"begun with files\S*/test/\S* \d+, not None"):
        plan.claim()
    file.write_text("{")
    with pytest.raises(ValueError, match="comparison.json is broken: give another"):
        plan.claim()


def test_runs_alone_get_the_gpus(records, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda *given: calls.append(given)
    )
    monkeypatch.setattr(preflight, "Task", lambda _: calls.append("clips") or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plan_of(records, tmp_path)
    # Once it has used them, TensorFlow does not leave them.
    assert calls == [([], "GPU"), "clips"]


def test_variants_that_always_fail_are_not_timed(records, tmp_path):
    plan = plan_of(records, tmp_path, "rms,grw", seeds=2)
    assert list(plan.timing().configs) == ["baseline"]
    finish(plan.run(plan.variants[2], 1), np.ones(CLIPS, bool))
    timing = plan.timing()
    assert list(timing.configs) == ["baseline", "grw"] and not timing.files


def test_ratios_are_to_the_baseline_or_not_told(records, tmp_path, monkeypatch):
    plan = plan_of(records, tmp_path, "rms", timing_rounds=1)
    finish(plan.run(plan.variants[1], 0), np.ones(CLIPS, bool))
    timing = plan.timing()
    frame = types.SimpleNamespace(
        file="model", what="frame", median_ms=2.0, ratio=Ratio(1.0, 0.9, 1.1)
    )
    taken = types.SimpleNamespace(wall=np.ones(1))
    monkeypatch.setattr(timing_module, "benchmark", lambda config: ({}, [frame]))
    monkeypatch.setattr(timing_module, "own_trainer", lambda *_: None)
    monkeypatch.setattr(timing_module, "step_of", lambda _: None)
    monkeypatch.setattr(
        timing_module, "time_in_turn", lambda steps, _: dict.fromkeys(steps, taken)
    )
    for name, told in (("baseline", True), ("rms", False)):
        only = dataclasses.replace(timing, files={name: pathlib.Path("model")})
        timing_module.take_times(only)
        times = only.read()[name]
        assert times.milliseconds_per_frame == 2.0
        assert (times.frame_ratio is not None) == told


def test_a_broken_measurement_is_named(records, tmp_path):
    run = plan_of(records, tmp_path).runs()[0]
    run.folder.mkdir(parents=True)
    (run.folder / MEASURES_FILE).write_text("{")
    with pytest.raises(ValueError, match="measures.json is broken: remove its folder"):
        run.measures()


def test_times_of_other_models_are_taken_again(records, tmp_path):
    timing = plan_of(records, tmp_path).timing()
    assert timing.read() == {}
    timing.file.write_text('{"settings": {}, "times": {"baseline": {}}}')
    assert timing.read() == {}
    assert dataclasses.replace(timing, rounds=3).settings()["rounds"] == 3
