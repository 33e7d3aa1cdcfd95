"""Tests of classifying clips by an exported file."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from exported_files import foreign_files, manifest_of, random_frames, with_manifest
from exported_streams import write_clip_classifier, write_counter
from streamed_logits import assert_logits_close
from toy_backbones import BACKBONES

from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.web.site import check_runs_in_browsers


@pytest.fixture(scope="module")
def model(nano):
    return nano(backbone=BACKBONES["slowonly_nano"])


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return write_clip_classifier(tmp_path_factory.mktemp("clips") / "m.tflite", model)


@pytest.fixture
def classifier(path):
    with ClipClassifier(path) as opened:
        yield opened


def _expected(model, frames):
    return model(tf.constant(np.stack(frames)[None], tf.float32) / 255)[0].numpy()


def test_frames_of_any_size_are_prepared_as_in_evaluation(model, classifier):
    frames = list(random_frames(8, 60, 80))
    geometry = model.config.frame_geometry
    prepared = [prepare_frame(frame, geometry) for frame in frames]
    expected = _expected(model, prepared)
    # Resizing may differ by one of 255 levels.
    assert_logits_close(classifier.logits(frames), expected, 0.02)
    assert_logits_close(classifier.logits(prepared, prepared=True), expected)


def test_classes_are_named_by_their_probabilities(model, classifier):
    frames = list(random_frames(8))
    probabilities = classifier.classify(frames, prepared=True)
    expected = tf.nn.softmax(_expected(model, frames)).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)
    top = classifier.top(frames, 2, prepared=True)
    best = np.argsort(-probabilities, kind="stable")[:2]
    assert top == [(classifier.labels[i], float(probabilities[i])) for i in best]
    assert (classifier.frames, classifier.size) == (8, 32)
    assert classifier.fps == model.config.fps


def test_last_frame_of_a_short_clip_is_repeated(model, classifier):
    frames = list(random_frames(3))
    expected = _expected(model, frames + 5 * frames[-1:])
    assert_logits_close(classifier.logits(frames, prepared=True), expected)


def test_clips_leave_no_traces(classifier):
    frames = list(random_frames(8))
    first = classifier.logits(frames, prepared=True)
    classifier.logits(frames[::-1], prepared=True)
    np.testing.assert_array_equal(classifier.logits(frames, prepared=True), first)


def test_fractions_are_made_of_bytes(model, tmp_path):
    path = write_clip_classifier(tmp_path / "f.tflite", model, image_dtype="float32")
    frames = list(random_frames(8))
    with ClipClassifier(path, num_threads=2) as classifier:
        logits = classifier.logits(frames, prepared=True)
    assert_logits_close(logits, _expected(model, frames))


@pytest.mark.parametrize(
    "frames, prepared, message",
    [
        ([], False, r"has 8 frames, 5 of them a second, got 0: give 1 to 8"),
        (list(random_frames(9)), False, "got 9: give 1 to 8, and a longer video clip"),
        (list(random_frames(8, 48, 32)), True, r"must be \[32, 32, 3\], got \[48, 32"),
        ([np.zeros((32, 32, 3))], False, "got float64 .*give bytes"),
        ([None], False, "must be a NumPy array"),
    ],
)
def test_unfit_clip_is_refused_in_one_line(classifier, frames, prepared, message):
    with pytest.raises(ValueError, match=message):
        classifier.classify(frames, prepared)


def test_unfit_settings_are_refused(path, classifier):
    with pytest.raises(ValueError, match="num_threads is 0"):
        ClipClassifier(path, num_threads=0)
    with pytest.raises(ValueError, match="k is 0"):
        classifier.top(list(random_frames(8)), 0)


def test_closed_classifier_is_refused(path):
    classifier = ClipClassifier(path)
    classifier.close()
    classifier.close()
    with pytest.raises(ValueError, match="is closed: open another"):
        classifier.classify(list(random_frames(8)))


def test_foreign_and_damaged_files_are_refused_in_one_line(path, tmp_path):
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[1000] ^= 0xFF
    files = [*foreign_files(path), ("damaged", bytes(damaged))]
    for name, bad in files:
        foreign = tmp_path / f"{name}.tflite"
        foreign.write_bytes(bad)
        with pytest.raises(
            ValueError, match="not an export of grw_tf|damaged"
        ) as caught:
            ClipClassifier(foreign)
        assert "\n" not in str(caught.value) and str(foreign) in str(caught.value)


def test_each_kind_of_file_names_what_opens_it(path, tmp_path):
    stream = write_counter(tmp_path / "stream.tflite")
    for open_file, file, message in (
        (ClipClassifier, stream, "frame by frame, .*open it with .*StreamSession"),
        (StreamSession, path, "whole clips .*ClipClassifier, or .*grw-stream"),
        (check_runs_in_browsers, path, "whole clips and cannot be streamed"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            open_file(file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_manifest_of_another_model_is_refused(path, tmp_path):
    taken = manifest_of(path)["input"]
    for changes, message in (
        ({"window": 9}, "does not describe clips with 5 labels"),
        ({"fps": 0}, "does not describe clips"),
        ({"signatures": ["classify_clip", "step"]}, "does not describe clips"),
        ({"input": taken | {"shape": [8, 32, 32, 3]}}, "does not describe clips"),
        (
            {"window": 9, "input": taken | {"shape": [1, 9, 32, 32, 3]}},
            r"input image is uint8 \[1, 8, 32, 32, 3\] and not uint8 \[1, 9",
        ),
        ({"format_version": 99}, "install a newer grw_tf"),
    ):
        other = with_manifest(path, tmp_path / "other.tflite", **changes)
        with pytest.raises(ValueError, match=message):
            ClipClassifier(other)


_CODE = """
import json, sys
import numpy as np
from grw_tf.streaming import ClipClassifier
with ClipClassifier(sys.argv[1]) as classifier:
    classifier.top([np.zeros((48, 64, 3), np.uint8)] * classifier.frames)
print(json.dumps([name for name in ("tensorflow", "cv2", "av") if name in sys.modules]))
"""


def test_numpy_and_litert_are_enough(run_code, path):
    done = run_code(_CODE, path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert not re.search("Traceback|INFO", done.stderr)
