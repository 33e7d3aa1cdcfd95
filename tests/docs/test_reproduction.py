"""Tests that docs/reproduction.md names what there is, and settings that train."""

import pathlib
import re

import pytest
import tensorflow as tf
from official.core.train_utils import ParseConfigOptions

from grw_tf.models import ModelConfig, build_model, preset
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reproduction.md").read_text()
CONFIG = re.compile(r"`(configs/\w+\.yaml)`")


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
OVERRIDDEN = [
    (config, re.search(r"with `(\{.*\})`", row["command"])[1])
    for row in ROWS
    if " with `{" in row["command"]
    for config in CONFIG.findall(row["command"])
]


def _model(config, override):
    (experiment,) = re.findall(r"--experiment=(\w+)", (ROOT / config).read_text())
    options = ParseConfigOptions(
        experiment=experiment,
        config_file=[str(ROOT / config)],
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
    named = set(CONFIG.findall(TEXT))
    there = {f"configs/{file.name}" for file in (ROOT / "configs").glob("*.yaml")}
    papers = {name for name in there if "kinetics" in name}
    assert named == papers


@pytest.mark.parametrize(("config", "override"), OVERRIDDEN)
def test_override_changes_the_model_and_parses(config, override):
    assert _model(config, override) != _model(config, "")


def test_each_setting_of_the_rms_ablation_is_another():
    settings = [o for o in OVERRIDDEN if "slowonly" in o[0]]
    assert len({_model(*setting) for setting in settings}) == len(settings) > 15


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
