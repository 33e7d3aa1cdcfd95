"""Tests of reading clips to evaluate on."""

import cv2
import numpy as np
import pytest
from clip_records import CLASSES, example_of, write_records

from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.sequence_examples import FRAME_RATE, sequence_example
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.models import ModelConfig

ODD_NAMES = ("a,b.mp4", 'c "d".mp4', "ä 日本.mp4", "new\nline.mp4", "e.mp4", "\udcff")
CONFIG = ModelConfig(num_classes=6, frames=4, size=32, fps=5.0)


def _levels(clip):
    return np.round(clip.frames.mean(axis=(1, 2, 3)) / 10).astype(int).tolist()


@pytest.mark.parametrize(
    ("frames", "fps", "levels"),
    [
        (9, 5.0, [2, 3, 4, 5]),
        (4, 5.0, [0, 1, 2, 3]),
        (2, 5.0, [0, 1, 1, 1]),
        (12, 10.0, [2, 4, 6, 8]),
        (18, 14.985, [3, 6, 9, 12]),
    ],
)
def test_clip_is_the_middle_at_the_models_rate(tmp_path, frames, fps, levels):
    (clip,) = EvaluationRecords(
        write_records(tmp_path, example_of(frames, fps=fps)), CONFIG
    )
    assert clip.frames.shape == (4, 32, 32, 3) and clip.frames.dtype == np.uint8
    assert _levels(clip) == levels
    assert (clip.label, clip.name) == (1, "ä.mp4")


def test_frames_are_prepared_as_those_of_videos(tmp_path):
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (80, 60))
    jpeg = cv2.imencode(".jpg", picture)[1]
    example = sequence_example(JpegClip([jpeg.tobytes()] * 4, 60, 80), 0, "a", 5.0, "a")
    (clip,) = EvaluationRecords(write_records(tmp_path, example), CONFIG)
    decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
    for frame in clip.frames:
        np.testing.assert_array_equal(
            frame, prepare_frame(decoded, CONFIG.frame_geometry)
        )


def test_videos_are_whole_and_say_the_models_rate(tmp_path):
    examples = [example_of(9, fps=10.0), example_of(2, label=3, name="b.mp4")]
    long, short = EvaluationRecords(write_records(tmp_path, *examples), CONFIG).videos()
    assert long.frames.shape == (9, 48, 64, 3) and long.frames.dtype == np.uint8
    assert (_levels(long), _levels(short)) == (list(range(9)), [0, 1])
    assert (long.stride, short.stride) == (2, 1)
    assert (short.label, short.name) == (3, "b.mp4")


def test_videos_of_frames_of_several_sizes_are_refused(tmp_path):
    example = example_of(3)
    smaller = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    frames = example.feature_lists.feature_list["image/encoded"].feature
    frames[1].bytes_list.value[0] = smaller
    records = EvaluationRecords(write_records(tmp_path, example), CONFIG)
    with pytest.raises(ValueError, match=r"sizes, \(16, 16\) and \(48, 64\): make"):
        list(records.videos())


def test_batches_hold_all_clips_in_order(tmp_path):
    examples = [example_of(4, label=k, name=name) for k, name in enumerate(ODD_NAMES)]
    records = EvaluationRecords(write_records(tmp_path, *examples), CONFIG)
    assert records.class_names == CLASSES
    batches = list(records.batches(4))
    assert [clips.shape[0] for clips, _, _ in batches] == [4, 2]
    clips, labels, names = batches[0]
    assert clips.dtype == np.float32
    np.testing.assert_allclose(
        clips.mean(axis=(2, 3, 4))[0] * 255, [0, 10, 20, 30], atol=1
    )
    assert labels.tolist() == [0, 1, 2, 3]
    assert (*names, *batches[1][2]) == ODD_NAMES
    with pytest.raises(ValueError, match="batch_size"):
        list(records.batches(0))


@pytest.mark.parametrize("fps", [2.5, 7.0, 12.0])
def test_rates_that_do_not_fit_are_refused(tmp_path, fps):
    records = EvaluationRecords(write_records(tmp_path, example_of(9, fps=fps)), CONFIG)
    with pytest.raises(ValueError, match=f"record 0 has {fps:g} frames .* --fps=5"):
        list(records)


def test_records_without_a_rate_are_refused(tmp_path):
    example = example_of(9)
    del example.context.feature[FRAME_RATE]
    records = EvaluationRecords(write_records(tmp_path, example), CONFIG)
    with pytest.raises(ValueError, match="does not state its frame rate"):
        list(records)


def test_classes_that_do_not_fit_are_refused(tmp_path):
    first = write_records(tmp_path / "a", example_of(4))
    other = write_records(tmp_path / "b", example_of(4), labels=(*CLASSES[:5], "z"))
    with pytest.raises(ValueError, match="labels.txt have different classes: make"):
        EvaluationRecords(f"{first},{other}", CONFIG)
    with pytest.raises(ValueError, match="has 6 classes, and the model 7: evaluate on"):
        EvaluationRecords(first, ModelConfig(num_classes=7))


def test_broken_records_are_told(tmp_path):
    broken = example_of(4)
    broken.feature_lists.feature_list["image/encoded"].feature[2].bytes_list.value[
        0
    ] = b"no picture"
    unknown = example_of(4)
    unknown.context.feature["clip/label/index"].int64_list.value[0] = 6
    path = write_records(tmp_path, example_of(4), broken)
    with pytest.raises(ValueError, match="record 1 has a frame that is not a JPEG"):
        list(EvaluationRecords(path, CONFIG))
    path = write_records(tmp_path, example_of(4), unknown)
    with pytest.raises(ValueError, match=r"labels \[6\]: expected .* from 0 to 5"):
        list(EvaluationRecords(path, CONFIG))
    path = write_records(tmp_path, example_of(4), example_of(4))
    with open(path, "rb+") as file:
        file.truncate(file.seek(0, 2) - 50)
    with pytest.raises(ValueError, match="is truncated"):
        list(EvaluationRecords(path, CONFIG))
