"""Tests of evaluating models with several labels, and on some of the classes."""

import csv
import functools
import json

import numpy as np
import pytest
import tensorflow as tf
from clip_records import CLASSES, example_of, write_records
from everyday import slow_but
from sklearn.metrics import average_precision_score
from toy_heads import HEADS

from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation import evaluate as evaluation
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate
from grw_tf.evaluation.inference import check_one_label
from grw_tf.evaluation.trajectories import read_batches
from grw_tf.weights.restore import load_model

LISTS = [[0, 1], [], [2], [0, 2, 5], [1], [0]]


@pytest.fixture(scope="module", autouse=True)
def built_once():
    """Building models anew takes longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "load_model", functools.cache(load_model))
        yield


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Those of clips with none to three classes of six."""
    examples = [example_of(8 + k, label=0, name=f"{k}.mp4") for k in range(len(LISTS))]
    for example, indices in zip(examples, LISTS, strict=True):
        feature = example.context.feature
        feature["clip/label/index"].int64_list.value[:] = indices
        texts = [CLASSES[index].encode() for index in indices]
        feature["clip/label/text"].bytes_list.value[:] = texts
    return write_records(tmp_path_factory.mktemp("records"), *examples)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """Records of clips with one class each."""
    examples = [example_of(8, label=k % 6, name=f"{k}.mp4") for k in range(8)]
    return write_records(tmp_path_factory.mktemp("single"), *examples)


@pytest.fixture(scope="module")
def save(nano, tmp_path_factory):
    """A function that saves a model of six classes; returns it and its checkpoint."""

    @functools.cache
    def make(activation, head="causal_transformer"):
        model = nano(head=HEADS[head], num_classes=6, output_activation=activation)
        path = tmp_path_factory.mktemp("checkpoint") / "ckpt"
        return model, tf.train.Checkpoint(model=model).save(path)

    return make


def _logits(model, path):
    batches = EvaluationRecords(path, model.config).batches(8)
    return np.concatenate([model(clips, training=False) for clips, _, _ in batches])


def _rows(folder):
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_labels_are_rows_of_classes(save, records):
    model, _ = save("sigmoid")
    ((_, labels, names),) = EvaluationRecords(records, model.config).batches(8)
    assert names == [f"{k}.mp4" for k in range(len(LISTS))]
    expected = [[k in indices for k in range(6)] for indices in LISTS]
    assert labels.dtype == bool and labels.tolist() == expected


@pytest.mark.parametrize("streaming", [False, True])
def test_several_labels_are_measured_and_written(save, records, tmp_path, streaming):
    model, checkpoint = save("sigmoid")
    config = EvaluationConfig(
        checkpoint, records, str(tmp_path), thresholds="0.4", streaming=streaming
    )
    results = evaluate(config)
    scores = 1 / (1 + np.exp(-_logits(model, records)))
    labels = np.array([[k in indices for k in range(6)] for indices in LISTS])
    there = [k for k in range(6) if labels[:, k].any()]
    expected = [average_precision_score(labels[:, k], scores[:, k]) for k in there]
    assert results["mean_average_precision"] == pytest.approx(np.mean(expected))
    named = scores >= 0.4
    f1 = 2 * (named & labels).sum() / (named.sum() + labels.sum())
    assert results["micro_f1"] == pytest.approx(f1)
    rows = _rows(tmp_path)
    for row, own, indices, found in zip(rows, scores, LISTS, named, strict=True):
        assert row["label"] == " | ".join(CLASSES[k] for k in indices)
        assert row["predicted"] == " | ".join(
            name for name, on in zip(CLASSES, found, strict=True) if on
        )
        told = [float(row[f"score {name}"]) for name in CLASSES]
        np.testing.assert_allclose(told, own, rtol=1e-3, atol=1e-6)
    thresholds = json.loads((tmp_path / "thresholds.json").read_text())
    assert thresholds["chosen_on"] == records
    assert list(thresholds["thresholds"]) == list(CLASSES)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == {k: v for k, v in results.items() if k != "table"}
    assert ("streaming" in written) == streaming
    names = {"predictions.csv", "results.json", "thresholds.json"}
    curve = {"accuracy_after_each_frame.png"} if streaming else set()
    assert {path.name for path in tmp_path.iterdir()} == names | curve


def test_streams_end_as_whole_clips(save, records, tmp_path):
    _, checkpoint = save("sigmoid")
    config = EvaluationConfig(
        checkpoint, records, str(tmp_path), thresholds="0.5", streaming=True
    )
    results = evaluate(config)
    streamed = results["streaming"]
    assert streamed["mean_average_precision_after_each_frame"][-1] == pytest.approx(
        results["mean_average_precision"]
    )
    assert streamed["micro_f1_after_each_frame"][-1] == pytest.approx(
        results["micro_f1"]
    )
    assert "class changes a second" in results["table"]


@pytest.mark.slow
def test_views_and_perturbations_are_of_scores(save, records, tmp_path):
    _, checkpoint = save("sigmoid")
    fields = {"thresholds": "0.5"}
    views = EvaluationConfig(checkpoint, records, str(tmp_path), clips=2, **fields)
    assert 0 <= evaluate(views)["mean_average_precision"] <= 1
    config = EvaluationConfig(
        checkpoint, records, str(tmp_path), robustness=True, **fields
    )
    results = evaluate(config)
    noisy = results["robustness"]["mean_average_precision_noisy"]
    assert f"mAP, noise                  {noisy:.3f}" in results["table"].splitlines()


def test_thresholds_written_on_some_clips_are_taken_on_others(save, records, tmp_path):
    _, checkpoint = save("sigmoid")
    first = evaluate(EvaluationConfig(checkpoint, records, str(tmp_path / "a")))
    file = str(tmp_path / "a" / "thresholds.json")
    config = EvaluationConfig(checkpoint, records, str(tmp_path / "b"), thresholds=file)
    second = evaluate(config)
    best = [each["best_threshold"] for each in first["classes"]]
    assert [each["threshold"] for each in second["classes"]] == pytest.approx(best)
    assert second["macro_f1"] >= first["macro_f1"]


def test_softmax_is_over_the_chosen_classes_alone(save, single, tmp_path):
    model, checkpoint = save("softmax")
    config = EvaluationConfig(
        checkpoint, single, str(tmp_path), classes="e,a", streaming=False
    )
    results = evaluate(config)
    # Clips 0, 4 and 6 are of a, e and a; the others are left out.
    assert results["clips"] == 3 and results["clips_of_other_classes"] == 5
    assert "5 clips of other classes are left out." in results["table"]
    logits = _logits(model, single)[[0, 4, 6]][:, [4, 0]].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = _rows(tmp_path)
    assert [row["label"] for row in rows] == ["a", "e", "a"]
    assert [each["name"] for each in results["classes"]] == ["e", "a"]
    for row, own, place in zip(rows, expected, [1, 0, 1], strict=True):
        assert float(row["probability_of_label"]) == pytest.approx(own[place], rel=1e-3)


@pytest.mark.slow
def test_sigmoids_are_those_of_the_chosen_classes(save, records, tmp_path):
    model, checkpoint = save("sigmoid")
    file = tmp_path / "some.txt"
    file.write_text("run, fast\na\n")
    config = EvaluationConfig(
        checkpoint, records, str(tmp_path / "out"), classes=str(file), thresholds="0.5"
    )
    results = evaluate(config)
    assert results["clips"] == len(LISTS)
    rows = _rows(tmp_path / "out")
    scores = 1 / (1 + np.exp(-_logits(model, records)[:, [1, 0]]))
    told = [[float(row["score run, fast"]), float(row["score a"])] for row in rows]
    np.testing.assert_allclose(told, scores, rtol=1e-3, atol=1e-6)
    assert rows[0]["label"] == "run, fast | a"


@pytest.mark.slow
@pytest.mark.parametrize(
    "head", slow_but(["official"], ["official", "transformer", "mean"])
)
def test_classifiers_of_all_heads_are_cut(save, head):
    model, checkpoint = save("softmax", head)
    some = load_model(checkpoint, (5, 0, 2))
    clips = np.random.default_rng(0).random((1, 8, 32, 32, 3), "float32")
    expected = model(clips, training=False).numpy()[:, [5, 0, 2]]
    found = some(clips, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "fields", "words"),
    [
        ("softmax", {"classes": "ee,a"}, "'ee', which is not a class"),
        ("softmax", {"classes": "a"}, "a softmax over it alone is always 1"),
        ("softmax", {"thresholds": "0.5"}, "this model has a softmax"),
        ("sigmoid", {"thresholds": "2"}, "a threshold is a score from 0 to 1"),
    ],
)
def test_choices_that_make_no_sense_are_told(
    save, single, tmp_path, activation, fields, words
):
    _, checkpoint = save(activation)
    with pytest.raises(ValueError, match=words):
        evaluate(EvaluationConfig(checkpoint, single, str(tmp_path), **fields))


@pytest.mark.slow
def test_without_a_clip_of_the_classes_it_says_so(save, tmp_path):
    _, checkpoint = save("softmax")
    path = write_records(tmp_path / "r", example_of(8, label=3))
    config = EvaluationConfig(checkpoint, path, str(tmp_path / "o"), classes="a,e")
    with pytest.raises(ValueError, match="no clip of the model's classes"):
        evaluate(config)


def test_what_needs_one_label_says_so(save, records):
    model, _ = save("sigmoid")
    with pytest.raises(ValueError, match="clips have any number of classes"):
        check_one_label(model.config, "Paths of classes are drawn")
    with pytest.raises(ValueError, match="Paths of classes are drawn, and this model"):
        read_batches(records, model.config, 2)


def test_a_softmax_refuses_records_of_lists(save, records, tmp_path):
    _, checkpoint = save("softmax")
    with pytest.raises(ValueError, match="expected one clip/label/index"):
        evaluate(EvaluationConfig(checkpoint, records, str(tmp_path)))
