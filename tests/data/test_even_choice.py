"""Tests of choosing clips of all classes, evenly."""

import numpy as np
import pytest

from grw_tf.data.even_choice import choose_evenly

# A rare class, and one that comes in a row.
LABELS = np.array([0, 1] * 20 + [2] * 30 + [3])


@pytest.mark.parametrize("count", [1, 3, 4, 7, 20, 70, 71, 1000])
def test_as_many_as_wanted_are_chosen_once_in_order(count):
    chosen = choose_evenly(LABELS, count)
    assert len(chosen) == min(count, len(LABELS))
    assert (np.diff(chosen) > 0).all()


def test_each_class_has_its_share_and_a_rare_one_a_clip():
    counts = np.bincount(LABELS[choose_evenly(LABELS, 14)])
    np.testing.assert_array_equal(counts, [4, 4, 5, 1])


def test_too_few_for_all_classes_are_of_the_largest():
    assert set(LABELS[choose_evenly(LABELS, 2)]) == {0, 2}


def test_clips_of_a_class_are_spread_over_it():
    np.testing.assert_array_equal(choose_evenly(np.zeros(12), 3), [2, 6, 10])


def test_choice_is_the_same_each_time():
    np.testing.assert_array_equal(choose_evenly(LABELS, 9), choose_evenly(LABELS, 9))
