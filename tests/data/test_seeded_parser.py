"""Tests of the seeded parser, against the Model Garden's on the same clips."""

import numpy as np
import pytest
import tensorflow as tf
from official.vision.dataloaders import video_input

from grw_tf.data.records.seeded_parser import KEY, SeededParser
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.training.experiments.video_classification import DataConfig

DRAWS = 600
SIZE = 24
FRAMES = 4
IMAGE, LABEL = video_input.IMAGE_KEY, video_input.LABEL_KEY


def _clip(length):
    """Draws a clip [length, height, width, 3] whose pixels say where they come from.

    Red is the frame, green the column and blue the row.
    """
    height, width = 60, 80
    clip = np.zeros((length, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(length)[:, None, None]
    clip[..., 1] = np.arange(width)
    clip[..., 2] = np.arange(height)[:, None]
    return clip


def _params(**fields):
    shape = (FRAMES, SIZE, SIZE, 3)
    return DataConfig(feature_shape=shape, num_classes=2, **fields)


def _parser(parser_class, params):
    keys = {"image_key": IMAGE, "label_key": LABEL}
    if parser_class is SeededParser:
        return SeededParser(params, FrameGeometry(SIZE, "short_side"), **keys)
    return parser_class(params, **keys)


def _parsed(parser_class, clip, draws=DRAWS, seed=0, **fields):
    """Returns uint8 clips [draws, time, height, width, 3], parsed for training."""
    parse = _parser(parser_class, _params(**fields)).parse_fn(is_training=True)
    clip = tf.constant(clip)

    def one(number):
        key = tf.stack([tf.constant(seed, tf.int64), number])
        features, _ = parse({IMAGE: clip, LABEL: tf.constant([1]), KEY: key})
        return features["image"]

    # The Model Garden draws from the global stream.
    tf.random.set_seed(seed)
    clips = tf.data.Dataset.range(draws).map(one).batch(draws)
    return np.round(255 * next(clips.as_numpy_iterator())).astype(np.uint8)


def _both(clip, **options):
    # The Model Garden draws from the global stream, where other tests have drawn.
    tf.random.set_seed(0)
    return (
        _parsed(parser, clip, **options)
        for parser in (video_input.Parser, SeededParser)
    )


def _frames(clips):
    """Returns which frames were sampled, int [draws, time]."""
    return clips[:, :, SIZE // 2, SIZE // 2, 0].astype(int)


def _sequences(clips):
    return {tuple(row) for row in _frames(clips)}


def _shares(values, of):
    return np.bincount(values, minlength=of) / len(values)


def test_a_key_decides_all_of_a_clip():
    clip = _clip(20)
    once, again, other = (
        _parsed(SeededParser, clip, draws=8, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(once, again)
    assert all((one != two).any() for one, two in zip(once, other, strict=True))
    assert len({one.tobytes() for one in once}) == len(once)


def test_global_seed_changes_nothing():
    parse = _parser(SeededParser, _params()).parse_fn(is_training=True)
    decoded = {IMAGE: tf.constant(_clip(20)), LABEL: tf.constant([1])}
    decoded[KEY] = tf.constant([0, 7], tf.int64)
    drawn = []
    for seed in (0, 1):
        tf.random.set_seed(seed)
        drawn.append(parse(decoded)[0]["image"].numpy())
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("length, stride", [(20, 1), (20, 3), (10, 3)])
def test_frames_and_their_places_are_the_model_gardens(length, stride):
    official, ours = _both(_clip(length), temporal_stride=stride)
    assert _sequences(ours) == _sequences(official)
    for row in _sequences(ours):
        np.testing.assert_array_equal(row, row[0] + stride * np.arange(FRAMES))
    starts = [_shares(_frames(clips)[:, 0], length) for clips in (official, ours)]
    np.testing.assert_allclose(*starts, atol=0.08)


@pytest.mark.parametrize("length, stride", [(9, 3), (3, 1), (3, 2), (1, 5)])
def test_a_short_clip_ends_in_its_last_frame_repeated(length, stride):
    ours = _parsed(SeededParser, _clip(length), draws=20, temporal_stride=stride)
    # The last that is a stride's multiple, not the very last.
    wanted = stride * np.minimum(np.arange(FRAMES), (length - 1) // stride)
    assert _sequences(ours) == {tuple(wanted)}


def _flipped(clips):
    """Returns which clips are flipped, bool [draws]: columns get fewer."""
    return clips[:, 0, 0, 0, 1] > clips[:, 0, 0, -1, 1]


def test_random_strides_are_the_model_gardens():
    official, ours = _both(_clip(30), temporal_stride=2, random_stride_range=3)
    strides = [np.diff(_frames(clips)[:, :2])[:, 0] for clips in (official, ours)]
    assert set(strides[0]) == set(strides[1]) == {1, 2, 3, 4}
    np.testing.assert_allclose(
        _shares(strides[0], 5), _shares(strides[1], 5), atol=0.08
    )


def _boxes(clips):
    """Returns the cropped boxes in pixels, [draws, (left, top, width, height)]."""
    across = clips[:, 0, SIZE // 2, :, 1].astype(float)
    down = clips[:, 0, :, SIZE // 2, 2].astype(float)
    # By slopes, for the two parsers differ in how they weigh and round pixels.
    place = np.arange(SIZE) - (SIZE - 1) / 2
    width, height = (
        SIZE * np.abs(values @ place) / (place @ place) for values in (across, down)
    )
    left, top = across.mean(1) - width / 2, down.mean(1) - height / 2
    return np.stack([left, top, width, height], 1)


def test_crops_are_distributed_as_the_model_gardens():
    official, ours = (_boxes(clips) for clips in _both(_clip(8)))
    errors = np.sqrt((official.var(0) + ours.var(0)) / DRAWS)
    assert (np.abs(official.mean(0) - ours.mean(0)) < 4 * errors).all()
    np.testing.assert_allclose(official.std(0), ours.std(0), rtol=0.15)
    for quantile in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(
            np.quantile(official, quantile, axis=0),
            np.quantile(ours, quantile, axis=0),
            atol=4,
        )


def test_crops_keep_to_the_configs_areas():
    fields = {"aug_min_area_ratio": 0.2, "aug_max_area_ratio": 0.25}
    for clips in _both(_clip(8), draws=50, **fields):
        areas = np.prod(_boxes(clips)[:, 2:], axis=1) / (60 * 80)
        assert ((areas > 0.1) & (areas < 0.27)).all()


def test_half_of_the_clips_are_flipped_unless_flips_are_off():
    for clips in _both(_clip(8)):
        # Three standard errors.
        assert abs(_flipped(clips).mean() - 0.5) < 1.5 / np.sqrt(DRAWS)
    assert not _flipped(_parsed(SeededParser, _clip(8), aug_random_flip=False)).any()


def test_frames_of_a_clip_are_cropped_and_flipped_alike():
    clips = _parsed(SeededParser, _clip(8), draws=20)
    for frame in range(1, FRAMES):
        np.testing.assert_array_equal(clips[:, 0, ..., 1:], clips[:, frame, ..., 1:])


def test_where_a_clip_begins_and_its_crop_and_flip_are_independent():
    clips = _parsed(SeededParser, _clip(20))
    drawn = np.column_stack([_frames(clips)[:, 0], _flipped(clips), _boxes(clips)])
    correlations = np.corrcoef(drawn.T)[:2] - np.eye(2, 6)
    assert np.abs(correlations).max() < 4 / np.sqrt(DRAWS)


def test_encoded_frames_are_decoded_once_they_are_sampled():
    clip = _clip(12)
    wanted = _parsed(SeededParser, clip, draws=1)
    encoded = np.array([tf.io.encode_png(frame).numpy() for frame in clip], object)
    others = np.setdiff1d(np.arange(12), _frames(wanted))
    encoded[others] = b"no picture"
    np.testing.assert_array_equal(_parsed(SeededParser, encoded, draws=1), wanted)
