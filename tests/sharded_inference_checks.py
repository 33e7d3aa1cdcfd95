"""Checks with two virtual devices, to be set before anything else uses TensorFlow."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from drawn_videos import greys, write_video
from toy_heads import HEADS

from grw_tf.kinetics600 import protocol
from grw_tf.kinetics600.protocol import ProtocolConfig, evaluate_published
from grw_tf.kinetics600.sharded_inference import ShardedInference

FIELDS = {"head": HEADS["transformer"], "num_classes": 2}


@pytest.fixture(scope="module", autouse=True)
def devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


@pytest.fixture(scope="module")
def models(nano):
    """The same model for one device and for two, with their strategies."""
    built = []
    for replicas in (1, 2):
        names = [f"CPU:{index}" for index in range(replicas)]
        strategy = tf.distribute.MirroredStrategy(names)
        with strategy.scope():
            model = nano(fresh=True, **FIELDS)
        if built:
            model.set_weights(built[0][0].get_weights())
        built.append((model, strategy))
    return built


@pytest.mark.parametrize("count", [1, 3, 4, 5, 6])
def test_two_devices_give_what_the_model_gives(models, count):
    clips = np.random.default_rng(count).random((count, 8, 32, 32, 3), "float32")
    expected = models[0][0](clips).numpy()
    one, two = (ShardedInference(*model, 6 // n) for n, model in enumerate(models, 1))
    assert one.batch_size == two.batch_size == 6
    launched = two.launch(clips)
    assert len(launched.outputs) == 2 and launched.clips == count
    assert {len(output) for output in launched.outputs} == {3}
    for logits in (launched.logits(), one.launch(clips).logits()):
        assert logits.shape == (count, 2)
        np.testing.assert_allclose(logits, expected, rtol=1e-4)


def test_runs_on_one_device_and_on_two_end_alike(models, tmp_path, monkeypatch):
    # One clip of the first two of "dark", none of the third, two of each "light".
    for index in range(3):
        dark, light = greys(9 - index), [(200 + index, 20 * index, 9)] * 17
        for name, colors in (("dark", dark), ("light", light)):
            write_video(tmp_path / "clips" / name / f"{index}.mp4", colors, rate=5)
    checkpoint = tf.train.Checkpoint(model=models[0][0]).save(tmp_path / "ckpt")
    rows = []
    for _, strategy in models:
        monkeypatch.setattr(protocol, "build_strategy", lambda _, one=strategy: one)
        folder = tmp_path / f"on_{strategy.num_replicas_in_sync}"
        outcome = evaluate_published(
            ProtocolConfig(
                checkpoint=checkpoint,
                clips=str(tmp_path / "clips"),
                output_dir=str(folder),
                batch_size=2,
                workers=1,
            )
        )
        assert outcome.results["clips"] == 2 + 6
        speed = json.loads((folder / "speed.json").read_text())
        assert len(speed["devices"]) == strategy.num_replicas_in_sync
        assert speed["batch_size"] == 2 * strategy.num_replicas_in_sync
        with (folder / "predictions.csv").open(newline="") as file:
            rows.append(list(csv.DictReader(file)))
    for one, two in zip(*rows, strict=True):
        assert one["path"] == two["path"] and one["predicted"] == two["predicted"]
        probabilities = (float(row["probability_of_label"]) for row in (one, two))
        assert next(probabilities) == pytest.approx(next(probabilities), abs=1e-5)
