"""Tests of the model cards: their sections, and the code that measured one."""

import pathlib
import re

import pytest
from exported_streams import write_stream
from official.core.train_utils import ParseConfigOptions

from grw_tf.data.airplanes.videos import CLASS_NAMES
from grw_tf.models import ModelConfig, build_model
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
CARD = (DOCS / "model_card_airplanes.md").read_text()
TEMPLATE = (DOCS / "model_card_template.md").read_text()
# Of Mitchell et al., 2019, their Figure 1.
SECTIONS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]


@pytest.fixture(scope="module")
def page():
    """The names that the card's code defines."""
    (code,) = re.findall(r"```python\n(.*?)```", CARD, re.DOTALL)
    names = {}
    exec(code, names)
    return names


def test_cards_have_the_sections_of_the_paper_in_its_order():
    for text in (TEMPLATE, CARD):
        found = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert found[: len(SECTIONS)] == SECTIONS


def test_intervals_of_the_table_are_those_of_its_rates(page):
    rows = re.findall(r"\| (\d+) \| ([01]\.\d+) \| (0\.\d+) to ([01]\.\d+) \|", CARD)
    assert len(rows) > 15
    for count, rate, low, high in rows:
        # The rate is rounded.
        right = round(int(count) * float(rate))
        expected = page["wilson"](right / int(count), int(count))
        assert [float(low), float(high)] == pytest.approx(expected, abs=0.0011)


@pytest.fixture(scope="module")
def params():
    """The experiment that trained the card's model."""
    configs = DOCS.parent / "configs"
    return parse_experiment(
        ParseConfigOptions(
            experiment="movinet_a0_stream",
            config_file=[
                str(configs / "airplanes.yaml"),
                str(configs / "grw_mean.yaml"),
            ],
            params_override="",
        )
    )


def test_card_describes_the_demos_defaults(params):
    batch = params.task.train_data.global_batch_size
    epochs = params.trainer.train_steps * batch // 1000
    assert f"{epochs} epochs of {1000 // batch} batches of {batch}" in CARD
    smoothing = params.task.model.smoothing
    assert f"(T = {smoothing.window}, lambda = {smoothing.weight}, alpha = 0.5)" in CARD
    assert smoothing.alpha == 0.5


@pytest.mark.slow
def test_code_of_the_card_measures_a_file(page, params, tmp_path, capsys):
    model = build_model(frozen(params.task.model, ModelConfig))
    assert f"{model.count_params():,} weights" in CARD
    write_stream(tmp_path / "model.tflite", model, list(CLASS_NAMES))
    page["measure"](tmp_path / "model.tflite", count=6)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == list(page["DISTURBANCES"])
    assert all(0 <= float(line.split(": ")[1].split()[0]) <= 1 for line in printed)
