"""Tests of evaluating a checkpoint on records."""

import csv
import json

import pytest
import tensorflow as tf
from test_evaluation_records import _example, _write

from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate
from grw_tf.models import HeadConfig
from grw_tf.weights.restore import load_model

TRANSFORMER = HeadConfig(type="transformer", num_heads=2)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    examples = [_example(8, label=k % 6, name=f"{k}.mp4") for k in range(7)]
    return _write(folder, *examples)


@pytest.fixture(scope="module")
def checkpoint(nano, tmp_path_factory):
    model = nano(head=TRANSFORMER, num_classes=6)
    path = tmp_path_factory.mktemp("checkpoint") / "ckpt"
    return tf.train.Checkpoint(model=model).save(path)


@pytest.mark.parametrize("streaming", [False, True])
def test_results_and_predictions_are_written(records, checkpoint, tmp_path, streaming):
    config = EvaluationConfig(
        checkpoint, records, str(tmp_path / "out"), batch_size=3, streaming=streaming
    )
    results = evaluate(config)
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written == {k: v for k, v in results.items() if k != "table"}
    assert ("streaming" in written) == streaming
    with open(tmp_path / "out" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [f"{k}.mp4" for k in range(7)]
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert written["top_1"] == pytest.approx(right / 7)


def test_streamed_and_whole_clips_give_the_same(records, checkpoint, tmp_path):
    whole, streamed = (
        evaluate(
            EvaluationConfig(
                checkpoint, records, str(tmp_path / str(streaming)), streaming=streaming
            )
        )
        for streaming in (False, True)
    )
    curve = streamed["streaming"]["accuracy_after_each_frame"]
    assert len(curve) == 8
    assert curve[-1] == streamed["top_1"] == whole["top_1"]


def test_model_is_loaded_as_it_was_saved(nano, checkpoint, clip):
    model = load_model(checkpoint)
    saved = nano(head=TRANSFORMER, num_classes=6)
    assert model.config == saved.config
    tf.debugging.assert_equal(model(clip), saved(clip))


def test_checkpoint_of_a_part_is_refused(nano, tmp_path):
    path = tf.train.Checkpoint(backbone=nano().backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="records no config: restore it into a model"):
        load_model(path)
