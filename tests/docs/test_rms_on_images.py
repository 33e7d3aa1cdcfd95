"""docs/rms_on_images.md: its programs, run on scikit-learn's digits."""

import csv
import importlib.util
import math
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import yaml

from grw_tf.layers import RandomMeanScaling

TESTS = pathlib.Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "rms_on_images.md").read_text()
FILES = {
    re.match(r"# (\S+)\n", code)[1]: code
    for code in re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
}
COMMANDS = [
    shlex.split(line.removeprefix("    python "))
    for line in PAGE.splitlines()
    if line.startswith("    python ")
]
# A quarter of the channels, on images of 64 px that are neither cropped nor flipped.
SMALL_RESNET_50 = """
runtime: {enable_xla: false}
task:
  model: {input_size: [64, 64, 3], backbone: {resnet: {depth_multiplier: 0.25}}}
  train_data: {global_batch_size: 32, aug_crop: false, aug_rand_hflip: false}
  validation_data: {global_batch_size: 36}
trainer:
  train_steps: 60
  steps_per_loop: 10
  summary_interval: 10
  checkpoint_interval: 60
  validation_interval: 60
  validation_steps: 5
  optimizer_config:
    learning_rate: {stepwise: {boundaries: [60], values: [0.01, 0.01]}}
    warmup: {linear: {warmup_steps: 10}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of the page."""
    folder = tmp_path_factory.mktemp("rms_on_images")
    for name, code in FILES.items():
        (folder / name).write_text(code)
    return folder


@pytest.fixture(scope="module")
def cifar100_rms(folder):
    """The page's module of this name."""
    path = folder / "cifar100_rms.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _layers(model, layer_class):
    return [layer for layer in model.layers if isinstance(layer, layer_class)]


def _run(folder, command, *more):
    done = subprocess.run(
        [sys.executable, TESTS / "digits_as_tfds.py", *command, *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_resnet_110_has_its_published_size(cifar100_rms):
    model = cifar100_rms.resnet()
    layers = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)
    assert len(_layers(model, layers)) == 110
    assert len(_layers(model, RandomMeanScaling)) == 2 * 18 * 2
    weights = sum(int(tf.size(weight)) for weight in model.trainable_weights)
    # He et al., Table 6: 1.7 M, with 10 classes.
    assert round((weights - 90 * 65) / 1e6, 1) == 1.7
    assert f"| {weights / 1e6:.2f} M | 25.56 M |" in PAGE


def test_rms_acts_in_training_alone_and_leaves_the_weights_as_they_are(cifar100_rms):
    scaled, plain = (cifar100_rms.resnet(blocks=1, rms=rms) for rms in (True, False))
    plain.set_weights(scaled.get_weights())
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(scaled(images), plain(images))
    logits = scaled(images, training=True) - plain(images, training=True)
    assert np.abs(logits).min() > 0


def test_shortcuts_take_every_other_position_and_pad_channels(cifar100_rms):
    model = cifar100_rms.resnet(blocks=1)
    # With branches of 0, the stem's channels are in the middle of the last stage's.
    *_, last = _layers(model, tf_keras.layers.ReLU)
    stem, *_ = _layers(model, tf_keras.layers.ReLU)
    for norm in _layers(model, tf_keras.layers.BatchNormalization)[1:]:
        norm.gamma.assign(tf.zeros_like(norm.gamma))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    first, end = tf_keras.Model(model.input, [stem.output, last.output])(images)
    assert np.abs(first).max() > 0
    np.testing.assert_array_equal(end[..., 24:40], first[:, ::4, ::4])
    assert not np.any(end[..., :24]) and not np.any(end[..., 40:])


def test_schedule_of_imagenet_is_that_of_90_epochs():
    config = yaml.safe_load(FILES["imagenet.yaml"])
    trainer, task = config["trainer"], config["task"]
    steps = 1_281_167 // task["train_data"]["global_batch_size"]
    schedule = trainer["optimizer_config"]["learning_rate"]["stepwise"]
    assert trainer["train_steps"] == 90 * steps
    assert schedule["boundaries"] == [30 * steps, 60 * steps, 80 * steps]
    assert trainer["optimizer_config"]["warmup"]["linear"]["warmup_steps"] == 5 * steps
    assert trainer["checkpoint_interval"] == trainer["validation_interval"] == steps
    assert steps % trainer["steps_per_loop"] == 0
    per_batch = task["validation_data"]["global_batch_size"]
    assert trainer["validation_steps"] * per_batch == 50_000


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[:2], ids=["rms", "plain"])
def test_cifar_program_trains(folder, command):
    assert command[0] == "cifar100_rms.py"
    size = "--blocks=1 --epochs=6 --steps_per_epoch=15 --batch_size=64"
    _run(folder, command, *size.split())
    run = folder / command[1].removeprefix("--model_dir=")
    losses = [float(row["loss"]) for row in csv.DictReader((run / "log.csv").open())]
    assert len(losses) == 6
    # It knows more than that there are ten digits.
    assert losses[-1] < min(losses[0], math.log(10))
    assert (run / "model.weights.h5").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[2:], ids=["rms", "plain"])
def test_imagenet_program_trains(folder, command):
    assert command[0] == "imagenet_rms.py"
    override = yaml.safe_load(SMALL_RESNET_50)
    _run(folder, command, f"--params_override={override}")
    run = folder / command[-1].removeprefix("--model_dir=")
    losses = _training_losses(run)
    assert len(losses) == 6
    assert losses[-1] < 0.5 * losses[0]
    with_rms = "  distribution: normal(1, 0.5)\n" in (run / "params.yaml").read_text()
    assert with_rms == (run.name == "imagenet_rms")


def _training_losses(run):
    (file,) = (run / "train").glob("events*")
    return [
        float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "training_loss"
    ]


@pytest.mark.slow
def test_resnet_50_is_the_model_gardens(folder, run_isolated):
    # Importing the program registers experiments, which other tests list.
    path = f"{TESTS.parent}{os.pathsep}{folder}"
    run_isolated("rms_on_images_checks.py", PYTHONPATH=path)
