"""Tests of training models with several labels a clip."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
from clip_records import example_of, write_records
from sklearn.utils.class_weight import compute_class_weight
from training_runs import options, scalars

from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate
from grw_tf.export.export import export
from grw_tf.export.export_config import ExportConfig
from grw_tf.streaming import StreamSession
from grw_tf.training.divergence import step_error_text
from grw_tf.training.driver import run_experiment
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.video_classification import experiment
from grw_tf.training.tasks.class_weights import balanced_label_weights
from grw_tf.training.tasks.video_classification import Task

MAP = "mean_average_precision"


def _override(records="", model=(), trainer=(), **task):
    if records:
        data = {"input_path": f"{records}/train-*"}
        task["train_data"] = data | task.get("train_data", {})
    return {
        "task": {"model": {"output_activation": "sigmoid"} | dict(model), **task},
        "trainer": dict(trainer),
    }


def _task(records, **override):
    parsed = parse_experiment(options(records, override=_override(records, **override)))
    return Task(parsed.task)


def _batches(task, data="train_data", count=4):
    batches = task.build_inputs(getattr(task.task_config, data)).take(count)
    for features, labels in batches.as_numpy_iterator():
        yield features["image"], labels


def _has_colors(images):
    """Returns how blue and red clips are, 0 to 1, in the order of the classes."""
    levels = images.mean(axis=(1, 2, 3))
    return (levels[:, [2, 0]] * 255 - 20) / 180


@pytest.mark.parametrize("data", ["train_data", "validation_data"])
def test_labels_say_which_classes_a_clip_has(labeled_records, data):
    counts = set()
    for images, labels in _batches(_task(labeled_records), data, 2):
        assert labels.dtype == np.float32 and labels.shape[1:] == (2,)
        np.testing.assert_allclose(_has_colors(images), labels, atol=0.12)
        counts |= set(labels.sum(axis=1))
    assert counts == {0, 1, 2}


def test_a_single_class_is_1_where_it_is_there(tmp_path):
    examples = [example_of(8, label=0, name=f"{k}.mp4") for k in range(4)]
    for example in examples[2:]:
        example.context.feature["clip/label/index"].int64_list.value[:] = []
        example.context.feature["clip/label/text"].bytes_list.value[:] = []
    path = write_records(tmp_path / "r", *examples, labels=("a",))
    task = _task(
        "",
        model={"num_classes": 1},
        train_data={"input_path": path},
        validation_data={"input_path": path},
    )
    assert task.open_sources(True, True) == ("a",)
    ((_, labels),) = _batches(task, "validation_data", 1)
    assert labels.tolist() == [[1], [1], [0], [0]]


def test_balanced_weights_are_those_of_binary_problems(labeled_records):
    source = _task(labeled_records).train_source
    np.testing.assert_allclose(balanced_label_weights(source, 2), np.ones((2, 2)))
    # Of three classes, the last is nowhere.
    found = balanced_label_weights(source, 3)
    assert found[:, 2].tolist() == [1, 0]


def test_balanced_weights_are_sklearns(tmp_path):
    lists = [[0], [0, 1], [0], []]
    examples = [example_of(8, label=0, name=f"{k}.mp4") for k in range(4)]
    for example, indices in zip(examples, lists, strict=True):
        feature = example.context.feature
        feature["clip/label/index"].int64_list.value[:] = indices
        feature["clip/label/text"].Clear()
    path = write_records(tmp_path / "r", *examples, labels=("a", "b"))
    source = _task("", train_data={"input_path": path}).train_source
    for index, found in enumerate(balanced_label_weights(source, 2).T):
        there = np.array([index in indices for indices in lists])
        classes = np.array([False, True])
        expected = compute_class_weight("balanced", classes=classes, y=there)
        np.testing.assert_allclose(found, expected)


@pytest.fixture
def task():
    """A function that makes a task of two sigmoids with some losses."""

    def make(**losses):
        config = experiment("a0_stream").task
        model = {"num_classes": 2, "output_activation": "sigmoid"}
        config.override({"model": model, "losses": losses})
        return Task(config)

    return make


LABELS = np.array([[1, 0], [0, 0], [1, 1]], "float32")
SCORES = np.array([[0.9, 0.2], [0.4, 0.1], [0.6, 0.7]], "float32")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_the_mean_binary_cross_entropy(task, smoothing):
    found = task(label_smoothing=smoothing).build_losses(LABELS, SCORES)
    targets = LABELS * (1 - smoothing) + smoothing / 2
    each = -targets * np.log(SCORES) - (1 - targets) * np.log(1 - SCORES)
    assert float(found["class_loss"]) == pytest.approx(each.mean(), rel=1e-5)


def test_weights_weigh_clips_with_and_without_a_class(task):
    made = task(label_smoothing=0.0, class_weights=[2.0, 0.5])
    np.testing.assert_array_equal(made.class_weights, [[2, 0.5], [2, 0.5]])
    made._weights = np.array([[1.0, 0.25], [3.0, 4.0]], "float32")
    found = made.build_losses(LABELS, SCORES)["class_loss"]
    each = -LABELS * np.log(SCORES) - (1 - LABELS) * np.log(1 - SCORES)
    each *= np.where(LABELS, [3.0, 4.0], [1.0, 0.25])
    assert float(found) == pytest.approx(each.mean(), rel=1e-5)


def test_loss_of_sure_mistakes_still_has_a_gradient(task):
    """The scores are 0 and 1 in float32; the logits behind them are what counts."""
    made, logits = task(label_smoothing=0.0), tf.Variable([[-200.0, 200.0]])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            scores = tf.math.sigmoid(logits)
            loss = made.build_losses(tf.constant([[1.0, 0.0]]), scores)["class_loss"]
        return loss, tape.gradient(loss, logits)

    loss, found = gradient()
    assert float(loss) == pytest.approx(200)
    np.testing.assert_allclose(found, [[-0.5, 0.5]])


def test_mixup_mixes_labels_as_clips(labeled_records):
    regularization = {"methods": ["mixup"], "mixup": {"alpha": 5.0}}
    mixed = 0
    task = _task(labeled_records, model={"regularization": regularization})
    for images, labels in _batches(task, count=6):
        np.testing.assert_allclose(_has_colors(images), labels, atol=0.15)
        mixed += ((labels > 0.1) & (labels < 0.9)).sum()
    assert mixed


def test_cutmix_shares_the_labels_of_both_clips(labeled_records):
    task = _task(labeled_records, model={"regularization": {"methods": ["cutmix"]}})
    mixed = 0
    for images, labels in _batches(task, count=6):
        levels = _has_colors(images)
        # A rectangle that is cut off at the border counts whole.
        assert (labels[levels > 0.15] > 0).all()
        assert (levels[labels == 1] > 0.85).all()
        assert (levels[labels == 0] < 0.15).all()
        mixed += ((labels > 0) & (labels < 1)).sum()
    assert mixed


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"losses": {"one_hot": False, "label_smoothing": 0.0}}, "task.losses.one_hot"),
        ({"train_data": {"is_multilabel": True}}, "set task.model.output_activation"),
        (
            {"trainer": {"best_checkpoint_eval_metric": "top_5_accuracy"}},
            "choose mean_average_precision, macro_f1 or micro_f1",
        ),
        ({"model": {"output_activation": "sigmiod"}}, "did you mean 'sigmoid'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(labeled_records, override, words):
    with pytest.raises(ValueError, match=words):
        _task(labeled_records, **override)


def test_the_best_checkpoint_is_chosen_by_map_or_as_asked(labeled_records):
    def chosen(trainer):
        override = _override(labeled_records, trainer=trainer)
        parsed = parse_experiment(options(labeled_records, override=override))
        return parsed.trainer.best_checkpoint_eval_metric

    assert chosen({}) == MAP
    assert chosen({"best_checkpoint_eval_metric": "macro_f1"}) == "macro_f1"


def test_a_softmax_refuses_lists_of_labels(labeled_records):
    config = parse_experiment(options(labeled_records)).task
    with pytest.raises(ValueError, match="a softmax takes one: train a model with"):
        Task(config).open_sources(True, True)


def test_a_softmax_refuses_a_list_within_a_file(tmp_path):
    """Only the first record of a file is read before the training."""
    examples = [example_of(8, label=k % 2, name=f"{k}.mp4") for k in range(4)]
    examples[3].context.feature["clip/label/index"].int64_list.value.append(0)
    path = write_records(tmp_path / "r", *examples, labels=("a", "run, fast"))
    data = {"train_data": {"input_path": path}, "validation_data": {"input_path": path}}
    task = Task(parse_experiment(options("", override={"task": data})).task)
    task.open_sources(True, True)
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        list(_batches(task, "validation_data"))
    text = step_error_text(error.value, types.SimpleNamespace(validates=True))
    assert "A clip has other than one label, and a softmax takes one" in text
    assert text.endswith("in validation. The last checkpoint is kept.")


@pytest.fixture(scope="module")
def run(labeled_records, tmp_path_factory):
    """The folder of a training, and the results of its last evaluation."""
    folder = tmp_path_factory.mktemp("run")
    override = _override(
        model={"head": {"type": "mean"}, "smoothing": {"layers": []}},
        trainer={
            "train_steps": 20,
            "checkpoint_interval": 20,
            "validation_interval": 20,
            "optimizer_config": {
                "learning_rate": {"cosine": {"initial_learning_rate": 0.01}},
                "head_learning_rate": {"cosine": {"initial_learning_rate": 0.05}},
                "ema": {"average_decay": 0.5},
            },
        },
        losses={"class_weights": "balanced", "label_smoothing": 0.0},
    )
    override["task"]["validation_data"] = {"input_path": f"{labeled_records}/test-*"}
    override["task"]["train_data"] = {"input_path": f"{labeled_records}/train-*"}
    _, results = run_experiment(options(labeled_records, folder, override))
    return folder, results


def test_training_records_thresholds_by_class(run):
    folder, results = run
    best = json.loads((folder / "best_ckpt" / "info.json").read_text())
    assert len(best["best_thresholds"]) == len(best["average_precisions"]) == 2
    assert all(0 < number < 1 for number in best["best_thresholds"])
    assert best[MAP] == pytest.approx(np.mean(best["average_precisions"]))
    by_class = ("average_precision", "best_threshold")
    names = {f"{what}/{name}" for name in ("blue", "red") for what in by_class}
    logged = {name for _, name, _ in scalars(folder)}
    assert names <= logged and {MAP, "micro_f1", "macro_f1"} <= logged
    assert names <= results.keys()


@pytest.mark.slow
def test_what_is_trained_is_evaluated_exported_and_streamed(
    run, labeled_records, tmp_path
):
    folder, _ = run
    best = json.loads((folder / "best_ckpt" / "info.json").read_text())
    records = f"{labeled_records}/test-*"
    config = EvaluationConfig(
        str(folder / "best_ckpt"), records, str(tmp_path / "test"), streaming=True
    )
    results = evaluate(config)
    assert results[MAP] == pytest.approx(best[MAP], abs=1e-3)
    assert [each["threshold"] for each in results["classes"]] == best["best_thresholds"]
    rows = (tmp_path / "test" / "predictions.csv").read_text().splitlines()
    assert rows[0] == "path,label,predicted,score blue,score red" and len(rows) == 9

    file = str(tmp_path / "model.tflite")
    export(ExportConfig(checkpoint_dir=str(folder), output=file, quantization="none"))
    with StreamSession(file) as session:
        np.testing.assert_allclose(
            session.thresholds, best["best_thresholds"], atol=1e-6
        )
        assert session.labels == ["blue", "red"]
