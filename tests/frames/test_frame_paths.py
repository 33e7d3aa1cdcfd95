"""Every path from a video to a model shows it the same pixels of the same frames."""

import subprocess

import cv2
import numpy as np
import pytest
import tensorflow as tf
from drawn_videos import write_video
from everyday import slow_but
from exported_files import manifest_of, with_manifest
from exported_streams import write_counter

from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.sequence_examples import sequence_example, write_record
from grw_tf.data.videos.clips import read_clip, stream_frames
from grw_tf.evaluation.trajectories import read_batches
from grw_tf.evaluation.views import cut_views
from grw_tf.export.manifest import frame_entries
from grw_tf.export.streams import real_streams
from grw_tf.frames import tensor_preparation
from grw_tf.frames.choice import middle_start, repeat_last
from grw_tf.frames.geometry import FRAME_FITS, FrameGeometry, resize_side
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.kinetics600.torchvision_frame import resize_and_crop
from grw_tf.models import ModelConfig
from grw_tf.streaming import StreamSession
from grw_tf.training.experiments.video_classification import experiment
from grw_tf.training.tasks.video_classification import Task

FRAMES, FPS = 8, 5
# Frames, height and width: wide, tall, odd, smaller than the model's frames, and of
# fewer frames than its clips.
CLIPS = {
    "wide": (11, 90, 160),
    "tall": (12, 160, 90),
    "odd": (9, 61, 87),
    "small": (8, 27, 31),
    "short": (4, 72, 128),
    "one": (1, 53, 47),
}


def _picture(frame, height, width):
    """Returns a soft picture whose corners differ and which moves with the frame."""
    coarse = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.roll(picture, 5 * frame, axis=1)


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, tmp_path_factory):
    """A clip as frames [time, height, width, 3], as a record and as a video.

    The video is lossless, of the pixels that the record's JPEGs decode to.
    """
    count, height, width = CLIPS[request.param]
    folder = tmp_path_factory.mktemp("clip")
    jpegs = [
        tf.io.encode_jpeg(_picture(frame, height, width), quality=95).numpy()
        for frame in range(count)
    ]
    frames = np.stack([tensor_preparation.decode_frame(jpeg).numpy() for jpeg in jpegs])
    (folder / "labels.txt").write_text("a\nb\n")
    example = sequence_example(JpegClip(jpegs, height, width), 0, "a", FPS, "a/a.mov")
    write_record(folder / "test-00000-of-00001.tfrecord", example)
    for name in ("a", "b"):
        path = folder / "videos" / name / f"{name}.mov"
        write_video(path, frames, FPS, codec="png", size=(width, height))
    return frames, folder


@pytest.fixture(params=FRAME_FITS)
def config(request):
    return ModelConfig(
        num_classes=2, frames=FRAMES, size=48, fps=FPS, frame_fit=request.param
    )


def _expected(frames, config):
    """Returns uint8 [FRAMES, size, size, 3]: the middle, the last frame repeated."""
    start = middle_start(len(frames), FRAMES)
    prepared = [prepare_frame(frame, config.frame_geometry) for frame in frames[start:]]
    return np.stack(repeat_last(prepared, FRAMES))


def _assert_same(pixels, expected):
    if pixels.dtype != np.uint8:
        pixels = np.round(np.asarray(pixels) * 255)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def _task(config, folder, **validation):
    params = experiment("a0_stream").task
    names = ("num_classes", "frames", "size", "frame_fit")
    model = {name: getattr(config, name) for name in names}
    validation["input_path"] = str(folder / "test-*.tfrecord")
    params.override({"model": model, "validation_data": validation})
    return Task(params)


def _validated(task):
    (batch,) = task.build_inputs(task.task_config.validation_data)
    return batch[0]["image"].numpy()


@pytest.mark.parametrize("clip", slow_but(["wide", "short"], CLIPS), indirect=True)
def test_the_trainer_validates_on_what_is_expected(clip, config):
    frames, folder = clip
    (pixels,) = _validated(_task(config, folder))
    _assert_same(pixels, _expected(frames, config))


def test_evaluation_of_one_view_sees_what_is_expected(clip, config):
    frames, folder = clip
    records = EvaluationRecords(str(folder / "test-*"), config, progress=False)
    ((pixels, _, _),) = records.batches(1)
    _assert_same(pixels[0], _expected(frames, config))


def test_one_of_several_views_is_what_is_expected(clip, config):
    frames, folder = clip
    (video,) = EvaluationRecords(str(folder / "test-*"), config, False).videos()
    views = cut_views(video.frames, FRAMES, config.frame_geometry)
    _assert_same(views.numpy()[0], _expected(frames, config))


@pytest.mark.parametrize("clip", slow_but(["wide", "short"], CLIPS), indirect=True)
def test_the_trainers_views_are_those_of_evaluation(clip, config):
    frames, folder = clip
    task = _task(config, folder, num_test_clips=2, num_test_crops=3)
    views = cut_views(frames, FRAMES, config.frame_geometry, clips=2, crops=3)
    np.testing.assert_allclose(_validated(task), views, atol=1e-6)


@pytest.mark.parametrize(
    "count", slow_but([1, 7, 24, 25], [1, 4, 7, 9, 10, 11, 22, 24, 25, 26, 30])
)
def test_records_of_a_higher_rate_give_the_same_frames_on_all_paths(tmp_path, count):
    # Levels tell frames; the records' rate is three times the model's.
    frames = np.full((count, 48, 64, 3), 8, np.uint8)
    frames *= np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]
    jpegs = [tf.io.encode_jpeg(frame).numpy() for frame in frames]
    (tmp_path / "labels.txt").write_text("a\nb\n")
    example = sequence_example(JpegClip(jpegs, 48, 64), 0, "a", 3 * FPS, "a")
    write_record(tmp_path / "test-00000-of-00001.tfrecord", example)
    config = ModelConfig(num_classes=2, frames=FRAMES, size=32, fps=FPS)
    records = EvaluationRecords(str(tmp_path / "test-*"), config, progress=False)

    taken = list(range(0, count, 3))
    start = middle_start(len(taken), FRAMES)
    expected = repeat_last(taken[start:], FRAMES)
    ((clip, _, _),) = records.batches(1)
    (video,) = records.videos()
    view = cut_views(video.frames, FRAMES, config.frame_geometry, stride=3)
    validated = _validated(_task(config, tmp_path))
    for pixels in (clip, view, validated):
        levels = np.round(255 * np.asarray(pixels[0]).mean(axis=(1, 2, 3)) / 8) - 1
        assert levels.tolist() == expected


def test_three_squares_lie_on_the_frame_as_it_is_laid_out(clip, config):
    frames, _ = clip
    height, width = frames.shape[1:3]
    geometry = config.frame_geometry
    if config.frame_fit == "short_side":
        geometry = FrameGeometry(config.size, "short_side", side=config.size)
    rows, columns = geometry.resized(height, width)
    middle = geometry.start(rows), geometry.start(columns)
    last = rows - config.size, columns - config.size
    if height >= width:
        corners = [(0, middle[1]), middle, (last[0], middle[1])]
    else:
        corners = [(middle[0], 0), middle, (middle[0], last[1])]
    whole = tf.image.resize(
        frames[:1],
        (rows, columns),
        "area" if height >= rows and width >= columns else "bilinear",
    ).numpy()[0]
    views = cut_views(frames[:1], 1, config.frame_geometry, crops=3).numpy()[:, 0]
    for view, (top, left) in zip(views, corners, strict=True):
        expected = whole[top : top + config.size, left : left + config.size]
        _assert_same(view, np.round(expected).astype(np.uint8))


def test_clips_of_videos_are_what_is_expected(clip, config):
    frames, folder = clip
    path = folder / "videos" / "a" / "a.mov"
    pixels = read_clip(path, FRAMES, FPS, config.frame_geometry)
    _assert_same(pixels, _expected(frames, config))
    for source in (str(path), str(folder / "videos"), str(folder / "test-*")):
        _, batches = read_batches(source, config, 1)
        _assert_same(next(iter(batches))[0][0], _expected(frames, config))


def test_exports_are_checked_on_what_is_expected(clip, config):
    frames, folder = clip
    prepared = [prepare_frame(frame, config.frame_geometry) for frame in frames]
    for source in (str(folder / "test-*"), str(folder / "videos")):
        (stream,) = real_streams(source, config, 1, frames=len(frames))
        _assert_same(stream, np.stack(prepared))


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return write_counter(tmp_path_factory.mktemp("counter") / "counter.tflite")


def test_sessions_prepare_frames_as_expected(clip, config, counter, tmp_path):
    frames, _ = clip
    path = counter
    taken = manifest_of(path)["input"] | frame_entries(
        FrameGeometry(8, config.frame_fit)
    )
    changed = with_manifest(
        path, tmp_path / "changed.tflite", ["n", "mean", "level"], input=taken
    )
    with StreamSession(changed) as session, StreamSession(changed) as prepared:
        for frame in frames:
            session.push(frame)
            pixels = prepare_frame(frame, prepared.geometry)
            prepared.push_prepared(pixels)
            # The model's second logit is the mean of its pixels.
            means = session.logits()[1], prepared.logits()[1]
            assert abs(means[0] - means[1]) <= 1 / 255
            _assert_same(session._prepare(frame), pixels)


def test_streams_of_a_video_are_what_is_expected(clip, config):
    frames, folder = clip
    path = folder / "videos" / "a" / "a.mov"
    streamed = [frame for _, frame in stream_frames(path, FPS, config.frame_geometry)]
    prepared = [prepare_frame(frame, config.frame_geometry) for frame in frames]
    _assert_same(np.stack(streamed), np.stack(prepared))


def test_the_published_protocol_lays_frames_out_alike(clip, config):
    frames, _ = clip
    geometry = config.frame_geometry
    # Its filter is torchvision's, wider than an area. On slopes, filters do not differ.
    height, width = frames.shape[1:3]
    slopes = np.zeros((height, width, 3))
    slopes[..., 0] = np.linspace(0, 255, height)[:, None]
    slopes[..., 1] = np.linspace(255, 0, width)
    slopes = np.round(slopes).astype(np.uint8)
    _assert_same(resize_and_crop(slopes, geometry), prepare_frame(slopes, geometry))


_CPP_MAIN = """
#include <cstdio>
#include <cstdlib>
#include "frame_preparation.h"

int main(int, char** argv) {
  const int height = atoi(argv[2]), width = atoi(argv[3]);
  grw::FramePreparation prepare(argv[1][0] == 's' && argv[1][1] == 'h', atoi(argv[4]),
                                atoi(argv[5]));
  std::vector<uint8_t> frame(static_cast<size_t>(height) * width * 3);
  while (fread(frame.data(), 1, frame.size(), stdin) == frame.size()) {
    const auto& square = prepare.Prepare(frame.data(), width, height);
    fwrite(square.data(), 1, square.size(), stdout);
  }
}
"""


@pytest.fixture(scope="module")
def cpp(build_cpp):
    """The C++ session's preparation as a program."""
    return build_cpp(_CPP_MAIN, "frame_preparation.cc")


def test_the_cpp_session_prepares_frames_as_expected(clip, config, cpp):
    frames, _ = clip
    geometry = config.frame_geometry
    arguments = [geometry.fit, *frames.shape[1:3], geometry.side, geometry.size]
    done = subprocess.run(
        [cpp, *map(str, arguments)],
        input=frames.tobytes(),
        stdout=subprocess.PIPE,
        check=True,
    )
    shape = len(frames), geometry.size, geometry.size, 3
    pixels = np.frombuffer(done.stdout, np.uint8).reshape(shape)
    prepared = [prepare_frame(frame, geometry) for frame in frames]
    _assert_same(pixels, np.stack(prepared))


def test_a_training_crop_of_all_is_the_squashed_frame(clip):
    frames, _ = clip
    # Without a margin, the middle square is all of the squashed frame.
    geometry = FrameGeometry(48, "square", side=48)
    cropped = tensor_preparation.random_crop(
        tf.constant(frames), geometry, tf.constant([0, 1], tf.int64), (1, 1), (1, 1)
    )
    _assert_same(
        cropped.numpy(), np.stack([prepare_frame(frame, geometry) for frame in frames])
    )


@pytest.mark.parametrize("shape", [(90, 160), (160, 90)])
def test_training_crops_of_squashed_frames_surround_the_middle_square(shape):
    height, width = shape
    # Red and green tell row and column of the squashed frame.
    frame = np.zeros((1, height, width, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 255, height)[:, None]
    frame[..., 1] = np.linspace(0, 255, width)
    share = (172 / 200) ** 2
    boxes = []
    for number in range(100):
        cropped = (
            tensor_preparation.random_crop(
                tf.constant(frame),
                FrameGeometry(172, "square"),
                tf.constant([3, number], tf.int64),
                (0.99, 1.01),
                (0.99 * share, 1.01 * share),
            ).numpy()[0]
            / 255
        )
        rows, columns = cropped[:, 80, 0], cropped[80, :, 1]
        boxes.append([rows.min(), np.ptp(rows), columns.min(), np.ptp(columns)])
    top, high, left, wide = np.transpose(boxes)
    # Of the test-time picture's size, in both axes, at either side of its place.
    np.testing.assert_allclose([high, wide], 172 / 200, atol=0.03)
    for start in (top, left):
        assert start.min() < 0.02 and start.max() > 0.12
        assert np.abs(start - 0.07).min() < 0.01


@pytest.mark.parametrize(
    "size, side", [(172, 200), (224, 256), (256, 300), (32, 37), (86, 100)]
)
def test_crop_follows_the_published_preprocessing(size, side):
    assert resize_side(size) == side
    rows = (np.arange(side) % 256).astype(np.uint8)
    ramp = np.tile(rows[:, None, None], (1, side, 3))
    start = (side - size) // 2
    expected = ramp[start : start + size, start : start + size]
    for fit in FRAME_FITS:
        found = prepare_frame(ramp, FrameGeometry(size, fit))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(240, 427), (427, 240), (1080, 1920), (300, 300)])
def test_short_side_is_the_model_gardens(shape):
    from official.vision.ops import preprocess_ops_3d

    resized = preprocess_ops_3d.resize_smallest(tf.zeros((1, *shape, 3)), 200)
    geometry = FrameGeometry(172, "short_side")
    rows, columns = geometry.resized(*shape)
    assert (rows, columns) == tuple(resized.shape[1:3])
    ramp = tf.reshape(tf.range(rows * columns, dtype=tf.float32), (1, rows, columns, 1))
    official = preprocess_ops_3d.crop_image(ramp, 172, 172)[0, 0, 0, 0]
    assert geometry.start(rows) * columns + geometry.start(columns) == int(official)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (172, "stretch"),
            "frame_fit must be one of short_side, square, got 'stretch'",
        ),
        ((0, "square"), "size must be at least 1 pixel, got 0"),
        ((8, "square", 7), "resized to 7 pixels hold no square of 8"),
    ],
)
def test_geometries_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FrameGeometry(*arguments)
