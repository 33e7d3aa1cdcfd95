"""Tests of perturbed test clips."""

import numpy as np
import pytest
from clip_records import example_of, write_records

from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.inference import predict_clips
from grw_tf.evaluation.perturbations import (
    PERTURBATIONS,
    perturbed_accuracy,
    perturbed_batches,
)
from grw_tf.models import ModelConfig

CONFIG = ModelConfig(num_classes=6, frames=8, size=32, fps=5.0)
CLIPS = 40
BY_KEY = {perturbation.key: perturbation for perturbation in PERTURBATIONS}


def _records(folder, frames=25, fps=5.0, clips=CLIPS):
    """Returns records whose frames tell their number by their level."""
    examples = [
        example_of(frames, label=k % 6, fps=fps, name=f"{k}.mp4") for k in range(clips)
    ]
    return EvaluationRecords(write_records(folder, *examples), CONFIG, progress=False)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return _records(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def doubled(tmp_path_factory):
    """Records at twice the model's rate."""
    return _records(tmp_path_factory.mktemp("doubled"), fps=10.0)


def _clips(records, key):
    batches = perturbed_batches(records, BY_KEY[key], 16)
    return np.concatenate([clips for clips, _, _ in batches])


def _numbers(clips):
    """Returns which recorded frame each frame is, [clips, frames]."""
    return np.round(clips.mean(axis=(2, 3, 4)) * 255 / 10).astype(int)


def test_each_clip_is_perturbed_the_same_again_and_clips_differ(records):
    for perturbation in PERTURBATIONS:
        once, again = (_clips(records, perturbation.key) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        drawn = perturbation.generator("a").random(3)
        assert (drawn == perturbation.generator("a").random(3)).all()
        assert (drawn != perturbation.generator("\udcffä").random(3)).all()
    for key in ("accuracy_dropped", "accuracy_jittered", "accuracy_noisy"):
        assert len({clip.tobytes() for clip in _clips(records, key)}) > CLIPS / 2


def test_perturbations_draw_apart():
    drawn = {p.generator("a").random() for p in PERTURBATIONS}
    assert len(drawn) == len(PERTURBATIONS)


def test_labels_and_names_stay(records):
    (plain,) = records.batches(CLIPS)
    for perturbation in PERTURBATIONS:
        ((_, labels, names),) = perturbed_batches(records, perturbation, CLIPS)
        np.testing.assert_array_equal(labels, plain[1])
        assert names == plain[2]


def test_a_dropped_frame_repeats_the_last_that_arrived(records):
    numbers = _numbers(_clips(records, "accuracy_dropped"))
    frames = 8 + np.arange(8)
    dropped = numbers != frames
    assert not dropped[:, 0].any()
    assert dropped[:, 1:].mean() == pytest.approx(0.3, abs=0.08)
    for clip, lost in zip(numbers, dropped, strict=True):
        for index in np.flatnonzero(lost):
            assert clip[index] == clip[index - 1]


def test_jitter_keeps_the_order_and_takes_frames_in_between(doubled):
    numbers = _numbers(_clips(doubled, "accuracy_jittered"))
    frames = 4 + 2 * np.arange(8)
    assert (np.diff(numbers, axis=1) >= 0).all()
    assert set((numbers - frames).ravel()) == {-2, -1, 0, 1, 2}
    assert np.abs((numbers - frames).mean()) < 0.2


def test_jitter_of_frames_at_the_models_rate_is_no_deception(records):
    numbers = _numbers(_clips(records, "accuracy_jittered"))
    assert (numbers != 8 + np.arange(8)).mean() > 0.2


def test_frames_of_the_lower_rate_are_further_apart(records, doubled):
    numbers = _numbers(_clips(doubled, "accuracy_low_rate"))
    # Around frame 11, 3 of 25 frames apart instead of 2.
    expected = [1, 4, 7, 10, 13, 16, 19, 22]
    assert np.abs(numbers[0] - expected).max() <= 1
    assert set(np.diff(numbers[0])) == {3}
    numbers = _numbers(_clips(records, "accuracy_low_rate"))
    assert set(np.diff(numbers[0])) == {1, 2} and np.ptp(numbers[0]) in (10, 11)


def test_a_short_video_stands_still_at_both_ends(tmp_path):
    records = _records(tmp_path, frames=8, clips=1)
    (numbers,) = _numbers(_clips(records, "accuracy_low_rate"))
    assert numbers[0] == numbers[1] == 0 and numbers[-1] == numbers[-2] == 7
    assert (np.diff(numbers[1:-1]) > 0).all()


def test_noise_has_its_strength_and_stays_within_the_range(records):
    (plain,) = records.batches(CLIPS)
    noisy = _clips(records, "accuracy_noisy")
    assert noisy.dtype == np.float32 and noisy.min() >= 0 and noisy.max() <= 1
    middle = (plain[0] > 0.4) & (plain[0] < 0.6)
    assert (noisy - plain[0])[middle].std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.slow
def test_accuracy_is_that_of_each_perturbed_set_by_itself(nano, tmp_path):
    model = nano(num_classes=6)
    records = EvaluationRecords(
        write_records(
            tmp_path,
            *(example_of(12, label=k % 6, name=f"{k}.mp4") for k in range(5)),
        ),
        model.config,
        progress=False,
    )
    found = perturbed_accuracy(model, records, 3)
    assert list(found) == list(BY_KEY)
    for key, perturbation in BY_KEY.items():
        predicted = predict_clips(model, perturbed_batches(records, perturbation, 3))
        right = predicted.probabilities.argmax(axis=1) == predicted.labels
        assert found[key] == right.mean()
