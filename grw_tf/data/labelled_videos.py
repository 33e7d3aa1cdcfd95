"""Labeled videos of one split, in memory."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from grw_tf.data.even_choice import choose_evenly


@dataclasses.dataclass(frozen=True)
class LabelledVideos:
    """Videos with their classes.

    Attributes:
        videos: uint8 [videos, time, height, width, 3], RGB.
        labels: int64 [videos], indices into `class_names`.
        class_names: Names of the classes.
    """

    videos: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self):
        return len(self.videos)

    def chosen_evenly(self, count: int) -> "LabelledVideos":
        """Returns the videos that `choose_evenly` chooses."""
        chosen = choose_evenly(self.labels, count)
        return LabelledVideos(
            self.videos[chosen], self.labels[chosen], self.class_names
        )

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """Returns a dataset of (clips in 0..1, labels), in order."""
        return self._dataset(np.arange(len(self)), batch_size, drop_remainder=False)

    def shuffled_batches(
        self, batch_size: int, seed: int, epoch: int
    ) -> tf.data.Dataset:
        """Returns `batches` in an order that depends only on seed and epoch.

        A last batch that is not full is dropped.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        return self._dataset(order, batch_size, drop_remainder=True)

    @functools.cached_property
    def _tensors(self):
        return tf.constant(self.videos), tf.constant(self.labels)

    def _dataset(self, order, batch_size, drop_remainder):
        videos, labels = self._tensors

        def gather(index):
            clips = tf.cast(tf.gather(videos, index), tf.float32) / 255
            return clips, tf.gather(labels, index)

        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(batch_size, drop_remainder=drop_remainder)
            .map(gather)
            .prefetch(2)
        )
