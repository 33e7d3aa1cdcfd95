"""Tests of the streams of records, on files of numbered records."""

import itertools

import pytest
import tensorflow as tf

from grw_tf.data.records.record_stream import (
    RecordFile,
    Share,
    endless,
    in_order,
    picked,
)

COUNTS = (3, 5, 4, 1)
TOTAL = sum(COUNTS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of 3, 5, 4 and 1 records, which are numbered through."""
    numbers = itertools.count()
    files = []
    for index, count in enumerate(COUNTS):
        path = str(tmp_path_factory.mktemp("records") / f"{index}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(count):
                writer.write(str(next(numbers)).encode())
        files.append(RecordFile(path, count))
    return tuple(files)


def _stream(share, count, seed=0, first=0, buffer=6, cycle_length=2):
    """Returns pairs of key and number."""
    pairs = endless(share, seed, first, buffer, cycle_length).take(count)
    return [(tuple(key), int(record)) for key, record in pairs.as_numpy_iterator()]


def _numbers(share, count, **options):
    return [number for _, number in _stream(share, count, **options)]


def _all_in_order(share):
    return [int(record) for record in in_order(share).as_numpy_iterator()]


def test_in_order_gives_each_record_once_as_written(files):
    assert _all_in_order(Share(files)) == list(range(TOTAL))


@pytest.mark.parametrize("indices", [[0, 4, 12], [], range(TOTAL)])
def test_picked_records_come_once_in_order(files, indices):
    records = picked(Share(files), indices).as_numpy_iterator()
    assert [int(record) for record in records] == list(indices)


def test_part_of_a_file_is_read_alone(files):
    path = files[1].path
    assert _all_in_order(Share((RecordFile(path, count=2, skip=1),))) == [4, 5]
    assert set(_numbers(Share((RecordFile(path, 2, 1),)), 6)) == {4, 5}


def test_each_round_has_every_record_once_in_an_order_of_its_own(files):
    numbers = _numbers(Share(files), 3 * TOTAL)
    rounds = [numbers[start : start + TOTAL] for start in range(0, 3 * TOTAL, TOTAL)]
    assert [sorted(each) for each in rounds] == [list(range(TOTAL))] * 3
    assert rounds[0] != rounds[1] != rounds[2] != rounds[0]


def test_order_is_the_seeds(files):
    share = Share(files)
    assert _numbers(share, TOTAL) == _numbers(share, TOTAL)
    assert _numbers(share, TOTAL) != _numbers(share, TOTAL, seed=1)


def test_files_are_shuffled_even_if_the_buffer_holds_one_record(files):
    orders = {
        tuple(_numbers(Share(files), TOTAL, seed=seed, buffer=1, cycle_length=1))
        for seed in range(4)
    }
    assert len(orders) > 1
    assert all(sorted(order) == list(range(TOTAL)) for order in orders)


@pytest.mark.parametrize("global_seed", [0, 1])
def test_global_seed_changes_nothing(files, global_seed):
    wanted = _stream(Share(files), 2 * TOTAL)
    tf.random.set_seed(global_seed)
    tf.random.uniform(())
    assert _stream(Share(files), 2 * TOTAL) == wanted


@pytest.mark.parametrize("pipelines", [1, 2, 6])
def test_first_is_the_same_as_leaving_out(files, pipelines):
    share = Share(files, pipelines, pipeline=pipelines - 1)
    whole = _stream(share, 3 * TOTAL)
    for first in (1, share.count, 2 * share.count + 1):
        assert _stream(share, 5, first=first) == whole[first : first + 5]


@pytest.mark.parametrize("pipelines", [1, 3, 6])
def test_shares_are_disjoint_and_together_everything(files, pipelines):
    shares = [Share(files, pipelines, pipeline) for pipeline in range(pipelines)]
    assert [len(_all_in_order(share)) for share in shares] == [s.count for s in shares]
    ordered = [number for share in shares for number in _all_in_order(share)]
    assert sorted(ordered) == list(range(TOTAL))
    second_round = [
        number
        for share in shares
        for number in _numbers(share, share.count, first=share.count)
    ]
    assert sorted(second_round) == list(range(TOTAL))


@pytest.mark.parametrize("pipelines", [3, 6])
def test_no_two_elements_of_all_pipelines_have_one_key(files, pipelines):
    keys = [
        key
        for pipeline in range(pipelines)
        for key, _ in _stream(Share(files, pipelines, pipeline), 20)
    ]
    assert len(set(keys)) == len(keys)


def test_more_pipelines_than_records_are_refused(files):
    share = Share(files, TOTAL + 1, TOTAL)
    assert share.count == 0
    with pytest.raises(ValueError, match="fewer records than the 14 input pipelines"):
        _stream(share, 1)
