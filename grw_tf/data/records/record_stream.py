"""Streams records in an order that depends on a seed alone, from any position on.

Resumed training therefore continues with exactly the clips that it would have seen.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """Consecutive records of a TFRecord file.

    Attributes:
        path: The file.
        count: Number of records.
        skip: Number of records of the file before them.
    """

    path: str
    count: int
    skip: int = 0


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of all records that one of several input pipelines reads.

    It is whole files if there are enough for all pipelines, else every n-th record.
    """

    files: tuple[RecordFile, ...]
    pipelines: int = 1
    pipeline: int = 0

    @property
    def _by_files(self):
        return len(self.files) >= self.pipelines

    @property
    def own_files(self) -> tuple[RecordFile, ...]:
        """The files to read."""
        if not self._by_files:
            return self.files
        return self.files[self.pipeline :: self.pipelines]

    @property
    def count(self) -> int:
        """Number of records in the share."""
        total = sum(file.count for file in self.own_files)
        if self._by_files:
            return total
        return len(range(self.pipeline, total, self.pipelines))

    def thinned(self, records: tf.data.Dataset) -> tf.data.Dataset:
        """Returns those records of `own_files` that are in the share."""
        if self._by_files:
            return records
        return records.shard(self.pipelines, self.pipeline)


def in_order(share: Share) -> tf.data.Dataset:
    """Returns the records of a share once, in the order of the files."""
    return share.thinned(_read(_columns(share.own_files), cycle_length=1))


def picked(share: Share, indices: Sequence[int]) -> tf.data.Dataset:
    """Returns the records of `in_order` with these indices. Others are not decoded."""
    wanted = tf.scatter_nd(
        tf.constant(indices, tf.int64, (len(indices), 1)),
        tf.ones(len(indices), tf.bool),
        tf.constant([share.count], tf.int64),
    )
    numbered = in_order(share).enumerate()
    return numbered.filter(lambda index, _: wanted[index]).map(lambda _, record: record)


def endless(
    share: Share, seed: int, first: int, shuffle_buffer_size: int, cycle_length: int
) -> tf.data.Dataset:
    """Returns a share's records over and over, each time in another random order.

    Args:
        share: What to read.
        seed: Seed of the order.
        first: Number of records to skip. Whole rounds cost nothing. Records skipped in
            the last round are read but not decoded.
        shuffle_buffer_size: Records among which the next one is drawn.
        cycle_length: Files read at once.

    Returns:
        Pairs (key, record). The key, int64 [2], is unique among the elements of all
        pipelines and seeds whatever is random about the element.

    Raises:
        ValueError: If the share is empty.
    """
    if not share.count:
        raise ValueError(
            f"There are fewer records than the {share.pipelines} input pipelines: use"
            " fewer workers, or more clips."
        )
    columns = _columns(share.own_files)
    first_round, skipped = divmod(first, share.count)

    def one_round(number):
        # The seed of this function's graph alone. Otherwise the global seed changes the
        # order, and a global seed of 0 is an error.
        tf.random.set_seed(1)
        key = tf.stack([tf.constant(seed, tf.int64), number])
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(columns[0])), seed=key
        )
        shuffled = [tf.gather(column, order) for column in columns]
        records = share.thinned(_read(shuffled, cycle_length)).shuffle(
            shuffle_buffer_size,
            seed=tf.random.split(key, 1)[0, 0],
            reshuffle_each_iteration=False,
        )
        is_first = tf.cast(number == first_round, tf.int64)
        return records.skip(is_first * skipped)

    rounds = tf.data.Dataset.range(first_round, tf.int64.max)
    numbered = rounds.flat_map(one_round).enumerate(first)
    return numbered.map(
        lambda number, record: (
            tf.stack(
                [tf.constant(seed, tf.int64), number * share.pipelines + share.pipeline]
            ),
            record,
        )
    )


def _columns(files):
    paths = tf.constant([file.path for file in files])
    skips = tf.constant([file.skip for file in files], tf.int64)
    return paths, skips, tf.constant([file.count for file in files], tf.int64)


def _read(columns, cycle_length):
    def records(path, skip, count):
        return tf.data.TFRecordDataset(path).skip(skip).take(count)

    return tf.data.Dataset.from_tensor_slices(tuple(columns)).interleave(
        records,
        cycle_length=cycle_length,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
