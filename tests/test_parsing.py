"""Tests of experiments, and of reading them from flags and YAML."""

import json

import pytest
from official.core import exp_factory
from official.core.train_utils import ParseConfigOptions

from grw_tf.experiments.parsing import parse_experiment
from grw_tf.experiments.video_classification import EXPERIMENTS
from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS

EXPERIMENT = "movinet_a0_stream_grw"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_preset_is_an_experiment(name):
    config = exp_factory.get_exp_config(name)
    text = json.dumps(config.task.model.as_dict())
    assert ModelConfig.from_json(text) == PRESETS[EXPERIMENTS[name]]


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
        parse_experiment(ParseConfigOptions(**options))
    assert str(refused.value).isprintable()
