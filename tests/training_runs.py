"""Small trainings for tests: how they are asked for, and what they leave."""

import dataclasses
import json
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf
from official.core.train_utils import ParseConfigOptions

EXPERIMENT = "movinet_a0_stream"
SMOKE = pathlib.Path(__file__).parents[1] / "configs" / "smoke.yaml"
SMOKE_GRW = [os.fspath(SMOKE), os.fspath(SMOKE.with_name("grw.yaml"))]
"""The smoke config with GRW smoothing, as files of --config_file."""


@dataclasses.dataclass
class Options(ParseConfigOptions):
    """The Model Garden's flags."""

    mode: str = "train_and_eval"
    model_dir: str = ""


def overridden(records, override):
    """Returns keys as --params_override, with those of a folder of records' data."""
    task = override.get("task", {})
    data = {
        "train_data": {"input_path": f"{records}/train-*"},
        "validation_data": {"input_path": f"{records}/test-*"},
    }
    model = {"num_classes": 2} | task.get("model", {})
    return json.dumps(override | {"task": data | task | {"model": model}})


def options(records, model_dir="", override=None, mode="train_and_eval"):
    """Returns the options of the smoke config on a folder of records of two classes.

    `override` has the keys of the config to change, as nested dicts.
    """
    return Options(
        experiment=EXPERIMENT,
        config_file=SMOKE_GRW,
        params_override=overridden(records, override or {}),
        model_dir=os.fspath(model_dir),
        mode=mode,
    )


def command(records, model_dir, override):
    """Returns the command line of the same."""
    return [
        *(sys.executable, "-m", "scripts.train", "--mode=train_and_eval"),
        f"--experiment={EXPERIMENT}",
        *(f"--config_file={file}" for file in SMOKE_GRW),
        f"--params_override={overridden(records, override)}",
        f"--model_dir={model_dir}",
    ]


def scalars(folder, word=""):
    """Returns the logged scalars whose name has a word, by (split, name, step)."""
    return {
        (file.parent.name, value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for file in sorted(pathlib.Path(folder).glob("*/events*"))
        for event in tf.compat.v1.train.summary_iterator(os.fspath(file))
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name != "images" and word in value.tag
    }


def values(folder):
    """Returns the numbers of a checkpoint, or a folder's last, by their keys."""
    reader = tf.train.load_checkpoint(os.fspath(folder))
    return {
        key: reader.get_tensor(key)
        for key, dtype in reader.get_variable_to_dtype_map().items()
        if (dtype.is_floating or dtype.is_integer) and "save_counter" not in key
    }


def assert_same(found, expected):
    """Asserts that numbers by key, as from `values`, are the same bits."""
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=str(key))
