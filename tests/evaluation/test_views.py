"""Tests of views of a video."""

import types

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.data.evaluation_clips import LabelledClip
from grw_tf.evaluation.inference import predict_views
from grw_tf.evaluation.views import average_views, cut_views
from grw_tf.frames.geometry import FrameGeometry


def _video(frames, height, width):
    """Returns a video whose colors are the place: frame, row, column."""
    places = np.indices((frames, height, width), np.uint8)
    return np.moveaxis(places, 0, -1)


def _geometry(size, side=0):
    return FrameGeometry(size, "short_side", side)


def _bytes(views):
    return np.round(views.numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("clips", [2, 3, 5])
def test_clips_are_spread_evenly(clips):
    video = _video(21, 8, 8)
    views = _bytes(cut_views(video, 4, _geometry(8, 8), clips=clips, stride=2))
    starts = np.linspace(0, 21 - 4 * 2, clips).astype(int)
    for view, start in zip(views, starts, strict=True):
        np.testing.assert_array_equal(view, video[start : start + 8 : 2])


def test_one_clip_is_the_middle_one():
    video = _video(20, 8, 8)
    views = _bytes(cut_views(video, 4, _geometry(8, 8)))
    np.testing.assert_array_equal(views, video[None, 8:12])


def test_the_last_frame_of_a_short_video_is_repeated():
    views = _bytes(cut_views(_video(3, 8, 8), 5, _geometry(8, 8)))
    assert views[0, :, 0, 0, 0].tolist() == [0, 1, 2, 2, 2]


def test_three_squares_lie_along_a_wide_video():
    video = _video(4, 8, 20)
    views = _bytes(cut_views(video, 4, _geometry(8), crops=3))
    for view, left in zip(views, (0, 6, 12), strict=True):
        np.testing.assert_array_equal(view, video[:, :, left : left + 8])


def test_three_squares_lie_along_a_tall_video():
    video = _video(4, 20, 8)
    views = _bytes(cut_views(video, 4, _geometry(8), crops=3))
    for view, top in zip(views, (0, 6, 12), strict=True):
        np.testing.assert_array_equal(view, video[:, top : top + 8])


def test_one_square_is_the_center():
    video = _video(4, 10, 20)
    views = _bytes(cut_views(video, 4, _geometry(8, 10)))
    np.testing.assert_array_equal(views[0], video[:, 1:9, 6:14])


def test_views_are_clips_of_the_first_square_first():
    video = _video(12, 8, 20)
    views = _bytes(cut_views(video, 4, _geometry(8), clips=2, crops=3))
    assert views.shape == (6, 4, 8, 8, 3)
    starts = [(view[0, 0, 0, 0], view[0, 0, 0, 2]) for view in views]
    assert starts == [(0, 0), (8, 0), (0, 6), (8, 6), (0, 12), (8, 12)]


def test_thirty_views_are_those_of_the_rms_paper():
    # Ten clips along the time, three squares along the longer side of frames whose
    # shorter side is the squares'.
    video = _video(32, 8, 12)
    views = _bytes(cut_views(video, 8, _geometry(8), clips=10, crops=3))
    starts = np.linspace(0, 32 - 8, 10).astype(int)
    assert views.shape == (30, 8, 8, 8, 3)
    for index, view in enumerate(views):
        start, left = starts[index % 10], 2 * (index // 10)
        wanted = video[start : start + 8, :, left : left + 8]
        np.testing.assert_array_equal(view, wanted)


def test_shorter_side_is_that_of_three_squares():
    video = _video(2, 128, 192)
    views = cut_views(video, 2, _geometry(256), crops=3)
    resized = tf.round(tf.image.resize(video, (256, 384))).numpy()
    for view, left in zip(_bytes(views), (0, 64, 128), strict=True):
        np.testing.assert_array_equal(view, resized[:, :, left : left + 256])


def test_frames_are_resized_to_the_published_side():
    views = cut_views(_video(2, 100, 50), 2, _geometry(172))
    assert views.shape == (1, 2, 172, 172, 3)
    # A side of 200 makes four rows of one; the center's are rows 114 to 285 of 400.
    rows = _bytes(views)[0, 0, :, 0, 1]
    assert rows.tolist() == [round((row + 0.5) / 4 - 0.5) for row in range(114, 286)]


@pytest.mark.parametrize(
    ("video", "arguments", "message"),
    [
        (_video(4, 8, 8)[0], {}, r"got uint8 \(8, 8, 3\)"),
        (_video(4, 8, 8) / 255, {}, "got float64"),
        (_video(4, 8, 8)[:0], {}, r"got uint8 \(0, 8, 8, 3\)"),
        (_video(4, 8, 8), {"crops": 2}, "crops must be 1 or 3, got 2"),
        (_video(4, 8, 8), {"clips": 0}, "clips must be at least 1, got 0"),
        (_video(4, 8, 8), {"stride": -1}, "stride must be at least 1, got -1"),
    ],
)
def test_what_cannot_be_cut_is_refused(video, arguments, message):
    with pytest.raises(ValueError, match=message):
        cut_views(video, 4, _geometry(8), **arguments)


def test_average_is_over_the_views_of_a_clip():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    average = average_views(probabilities, 3)
    by_hand = [sum(probabilities[:3]) / 3, sum(probabilities[3:]) / 3]
    np.testing.assert_allclose(average, by_hand)
    np.testing.assert_array_equal(average_views(probabilities, 1), probabilities)


@pytest.mark.parametrize("views", [0, 4])
def test_other_numbers_of_views_are_refused(views):
    with pytest.raises(ValueError, match=r"got \(6, 3\)"):
        average_views(np.full((6, 3), 1 / 3), views)


class _MeanColor:
    """A model whose logits are mean colors; it notes the sizes of batches it gets."""

    config = types.SimpleNamespace(
        frames=4,
        frame_geometry=FrameGeometry(8, "short_side"),
        has_several_labels=False,
    )

    def __init__(self):
        self.batches = []

    def __call__(self, clips, training):
        assert not training
        self.batches.append(clips.shape[0])
        return tf.reduce_mean(clips, axis=(1, 2, 3))


def test_predictions_are_averages_over_views_in_small_batches():
    videos = [
        LabelledClip(_video(9, 8, 20), 2, "wide"),
        LabelledClip(_video(3, 30, 10), 0, "tall"),
    ]
    model = _MeanColor()
    predicted = predict_views(model, videos, clips=2, crops=3, batch_size=4)
    assert predicted.labels.tolist() == [2, 0]
    assert predicted.names == ("wide", "tall")
    for video, found in zip(videos, predicted.probabilities, strict=True):
        views = cut_views(video.frames, 4, _geometry(8), clips=2, crops=3).numpy()
        exponents = np.exp(views.mean(axis=(1, 2, 3)))
        each = exponents / exponents.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, each.mean(axis=0), rtol=1e-5)
        assert np.ptp(each, axis=0).max() > 1e-3
    assert set(model.batches) == {4, 2}
