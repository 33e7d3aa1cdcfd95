"""Tests that docs/reproduction.md names what there is, and settings that train."""

import functools
import pathlib
import re
import shlex

import pytest
import tensorflow as tf
from former_recipes import FORMER_RECIPES
from official.core.train_utils import ParseConfigOptions

from grw_tf.models import ModelConfig, build_model, preset
from grw_tf.training.experiments.former_names import check_names
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reproduction.md").read_text()
# The flags of a training in a cell, as shells take them.
FLAGS = re.compile(r"`(--experiment=[^`]*)`")


def _rows():
    """Yields the rows of the tables with a status, as dicts by their header."""
    header = None
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells
        elif "status" in header and set(cells[0]) != {"-"}:
            assert len(cells) == len(header), line
            yield dict(zip(header, cells, strict=True))


ROWS = list(_rows())


def _flags(text):
    """Returns the experiment, files and override of flags."""
    flags = [word.removeprefix("--").split("=", 1) for word in shlex.split(text)]
    (experiment,) = (value for name, value in flags if name == "experiment")
    files = tuple(value for name, value in flags if name == "config_file")
    (override,) = [v for name, v in flags if name == "params_override"] or [""]
    assert len(flags) == 1 + len(files) + bool(override), text
    return experiment, files, override


TRAINED = sorted(
    {_flags(text) for row in ROWS for text in FLAGS.findall(row["command"])}
)
OVERRIDDEN = [flags for flags in TRAINED if flags[-1]]


@functools.cache
def _model(experiment, files, override):
    options = ParseConfigOptions(
        experiment=experiment,
        config_file=[str(ROOT / file) for file in files],
        params_override=override,
    )
    return frozen(parse_experiment(options).task.model, ModelConfig)


def test_each_row_has_a_status_and_what_it_needs():
    assert len(ROWS) > 60
    for row in ROWS:
        status = row["status"].split(",")[0]
        assert status in ("measured", "ready to run", "not available"), row
        # A command or a page; a figure; a reason.
        assert bool(row["command"]) == (status != "not available"), row
        assert row["here"] or status == "ready to run" or "tests/" in row["command"]


def test_what_rows_name_exists():
    for row in ROWS:
        for name in re.findall(r"`([\w./]+)`", row["command"]):
            path = ROOT / f"{name.replace('.', '/')}.py"
            assert (ROOT / name).exists() or path.exists(), name


def test_costs_are_those_of_the_cost_page():
    models = (ROOT / "docs" / "models.md").read_text()
    rows = [row for row in ROWS if row["command"] == "[models.md](models.md)"]
    assert len(rows) == 6
    for row in rows:
        for number in re.findall(r"\d+\.\d+", row["here"].partition(":")[0]):
            assert f" {number} |" in models, number


def test_each_config_has_a_row():
    named = {file for _, files, _ in TRAINED for file in files}
    there = {f"configs/{file.name}" for file in (ROOT / "configs").glob("*.yaml")}
    papers = {n for n in there if "kinetics" in n or "something" in n}
    assert named == papers | {f"configs/{o}.yaml" for o in ("grw", "rms", "rms_gf")}


def test_each_former_recipe_has_a_row():
    named = {flags[:2] for flags in TRAINED}
    for stem in FORMER_RECIPES:
        if "kinetics" in stem:
            with pytest.raises(ValueError, match=" is now ") as refused:
                check_names("", [f"configs/{stem}.yaml"])
            assert _flags(str(refused.value).split(" is now ")[1])[:2] in named


@pytest.mark.parametrize("flags", TRAINED, ids=str)
def test_flags_name_a_model(flags):
    assert _model(*flags)


@pytest.mark.parametrize(("experiment", "files", "override"), OVERRIDDEN)
def test_override_changes_the_model_and_parses(experiment, files, override):
    assert _model(experiment, files, override) != _model(experiment, files, "")


def test_each_setting_of_the_rms_ablation_is_another():
    settings = [flags for flags in OVERRIDDEN if "slowonly" in flags[0]]
    assert len({_model(*setting) for setting in settings}) == len(settings) > 19


@pytest.mark.slow
def test_official_weights_become_a_checkpoint_with_its_config(tmp_path, monkeypatch):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    official = build_model(preset("a0_stream"))
    tf.train.Checkpoint(model=official).save(tmp_path / "movinet_a0_stream" / "ckpt")
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(code, {})
    saved = tf.train.load_checkpoint("weights/a0_stream/ckpt")
    (record,) = (key for key in saved.get_variable_to_shape_map() if "config" in key)
    config = ModelConfig.from_json(saved.get_tensor(record).decode())
    assert config == preset("a0_stream")
