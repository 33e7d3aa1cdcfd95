"""Tests of videos in memory."""

import numpy as np

from grw_tf.data.labelled_videos import LabelledVideos

VIDEOS = LabelledVideos(
    np.arange(10, dtype=np.uint8)[:, None, None, None, None]
    * np.ones((1, 2, 4, 4, 3), np.uint8),
    np.arange(10),
    tuple("abcdefghij"),
)


def _labels(batches):
    return [labels.numpy().tolist() for _, labels in batches]


def test_batches_keep_order_and_the_last_one():
    assert _labels(VIDEOS.batches(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_clips_are_scaled_to_one_and_stay_with_their_labels():
    for clips, labels in VIDEOS.shuffled_batches(4, seed=1, epoch=0):
        np.testing.assert_allclose(clips[:, 0, 0, 0, 0], labels.numpy() / 255)


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return _labels(VIDEOS.shuffled_batches(5, seed, epoch))

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    assert sorted(sum(order(1, 2), [])) == list(range(10))


def test_last_batch_is_dropped_in_training_if_not_full():
    assert len(_labels(VIDEOS.shuffled_batches(4, 0, 0))) == 2
