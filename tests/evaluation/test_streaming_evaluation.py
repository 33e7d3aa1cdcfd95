"""Tests of evaluating a model frame by frame."""

import json

import numpy as np
import pytest
from everyday import slow_but
from toy_heads import HEADS

from grw_tf.evaluation.streaming import measure_streams, stream_clips


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    return [
        (
            rng.random((size, 8, 32, 32, 3), "float32"),
            rng.integers(0, 5, size),
            [f"{size}/{index}" for index in range(size)],
        )
        for size in (3, 1)
    ]


def _logits(predicted, classes=3, largest=2.0):
    """Returns logits of the likeliest classes [clips, frames]."""
    return largest * np.eye(classes)[np.array(predicted)]


@pytest.mark.parametrize("head", slow_but(["transformer"], HEADS))
def test_the_last_frame_gives_the_clip_models_accuracy(nano, batches, head):
    model = nano(head=HEADS[head])
    whole = np.concatenate([model(clips).numpy() for clips, _, _ in batches])
    # Random models may be wrong on every random label.
    labeled = [
        (clips, whole.argmax(axis=1)[part] * [1, 1, 0][: len(clips)], names)
        for (clips, _, names), part in zip(
            batches, (slice(3), slice(3, 4)), strict=True
        )
    ]
    streamed = stream_clips(model, labeled)
    assert streamed.logits.shape == (4, 8, 5)
    assert streamed.names == ("3/0", "3/1", "3/2", "1/0")
    scale = np.abs(whole).max()
    np.testing.assert_allclose(streamed.logits[:, -1], whole, atol=1e-5 * scale)
    measured = measure_streams(streamed.logits, streamed.labels, model.config.fps)
    accuracy = np.mean(whole.argmax(axis=1) == streamed.labels)
    assert accuracy >= 0.75
    assert measured.accuracy[-1] == accuracy


@pytest.mark.slow
def test_logits_after_a_frame_are_those_of_a_shorter_clip(nano, batches):
    model = nano(head=HEADS["transformer"])
    clips, labels, names = batches[0]
    whole = stream_clips(model, [batches[0]]).logits
    part = stream_clips(model, [(clips[:, :3], labels, names)]).logits
    np.testing.assert_allclose(part, whole[:, :3], rtol=1e-5, atol=1e-5)
    assert np.abs(np.diff(whole, axis=1)).max(axis=(0, 2)).min() > 1e-3


def test_a_constant_prediction_does_not_flicker():
    measured = measure_streams(_logits([[1] * 6, [2] * 6]), np.array([1, 0]), 5.0)
    assert measured.label_changes_per_second == 0
    assert measured.probability_change == 0
    np.testing.assert_array_equal(measured.accuracy, [0.5] * 6)
    np.testing.assert_array_equal(measured.seconds_to_settle, [0, np.nan])


def test_known_sequences_have_known_measures():
    # Three changes, and one, in the five steps of a second.
    predicted = [[0, 1, 0, 1, 1, 1], [2, 2, 2, 2, 1, 1]]
    measured = measure_streams(_logits(predicted), np.array([1, 2]), 5.0)
    assert measured.label_changes_per_second == pytest.approx(2.0)
    np.testing.assert_allclose(measured.accuracy, [0.5, 1, 0.5, 1, 0.5, 0.5])
    np.testing.assert_allclose(measured.seconds_to_settle, [3 / 5, np.nan])
    # A change moves the difference from one class to the other.
    step = 2 * (np.exp(2) - 1) / (np.exp(2) + 2)
    assert measured.probability_change == pytest.approx(step * 4 / 10)


def test_probability_change_is_between_0_and_2():
    always = measure_streams(_logits([[0, 1, 0]], largest=100.0), np.array([0]), 5.0)
    assert always.probability_change == pytest.approx(2)
    logits = np.random.default_rng(0).normal(size=(4, 7, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    by_hand = np.mean(
        [np.abs(p[c, t] - p[c, t - 1]).sum() for c in range(4) for t in range(1, 7)]
    )
    measured = measure_streams(logits, np.zeros(4, int), 5.0)
    assert measured.probability_change == pytest.approx(by_hand)


def test_dict_survives_json():
    measured = measure_streams(_logits([[0, 1], [1, 1]]), np.array([1, 1]), 4.0)
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False)) == {
        "accuracy_after_each_frame": [0.5, 1.0],
        "label_changes_per_second": 2.0,
        "probability_change": measured.probability_change,
        "median_seconds_to_settle": 0.125,
    }
    never = measure_streams(_logits([[1, 0]]), np.array([1]), 4.0)
    assert never.to_dict()["median_seconds_to_settle"] is None


def test_table_has_the_curve_and_flicker():
    predicted = [[0, 1, 0, 1, 1, 1], [2, 2, 2, 2, 1, 1]]
    measured = measure_streams(_logits(predicted), np.array([1, 2]), 5.0)
    change = f"{measured.probability_change:.3f}"
    assert measured.table().splitlines() == [
        "frames seen  seconds  top-1",
        "          1     0.00  0.500",
        "          2     0.20  1.000",
        "          3     0.40  0.500",
        "          4     0.60  1.000",
        "          5     0.80  0.500",
        "          6     1.00  0.500",
        "",
        "label changes a second       2.000",
        f"probability change a frame   {change}",
        "median seconds to settle     0.600",
    ]


def test_table_of_a_long_clip_has_twelve_frames_with_the_first_and_last():
    measured = measure_streams(_logits([[1] * 50]), np.array([0]), 5.0)
    rows = measured.table().split("\n\n")[0].splitlines()[1:]
    frames = [int(row.split()[0]) for row in rows]
    assert len(frames) == 12 and frames == sorted(set(frames))
    assert (frames[0], frames[-1]) == (1, 50)
    assert measured.table().endswith("median seconds to settle         -")


@pytest.mark.slow
def test_base_models_are_refused(nano, batches):
    model = nano(backbone={"causal": False, "gating_activation": "sigmoid"})
    with pytest.raises(ValueError, match="cannot be streamed: use a stream model"):
        stream_clips(model, batches)


def test_what_does_not_fit_is_refused(nano, batches):
    model = nano(head=HEADS["official"])
    clips, labels, names = batches[0]
    for batch, message in (
        ((clips, labels, names[:2]), "3 labels and 2 names"),
        ((clips[0], labels, names), r"got \(8, 32, 32, 3\)"),
        ((clips, labels + 5, names), "the 5 classes are 0 to 4"),
        ((clips[:, :0], labels, names), "got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            stream_clips(model, [batch])
    with pytest.raises(ValueError, match="got 7 after 8"):
        stream_clips(model, [batches[0], (clips[:, 1:], labels, names)])
    with pytest.raises(ValueError, match="no clip to stream"):
        stream_clips(model, [])
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        measure_streams(_logits([[0]]), np.array([0]), 5.0)
    with pytest.raises(ValueError, match=r"got \(1, 2, 3\) and \(2,\)"):
        measure_streams(_logits([[0, 1]]), np.array([0, 1]), 5.0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        measure_streams(np.full((1, 2, 3), np.nan), np.array([0]), 5.0)
