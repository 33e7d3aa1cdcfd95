"""Tests the axis of the figure of differences."""

from grw_tf.figures.differences import DifferenceRow, draw_differences

TWO_SEEDS = DifferenceRow("two", 0.0, (-5.0, 5.0), (-60.0, 60.0), (-3.0, 3.0))
THREE_SEEDS = DifferenceRow("three", 1.0, (0.0, 1.0, 2.0), (-8.0, 10.0), (0.0, 2.0))


def _markers(axis):
    return [(line.get_marker(), *line.get_xdata()) for line in axis.lines]


def test_an_interval_over_two_seeds_is_cut_and_leaves_the_others_their_width():
    panels = {"a": [TWO_SEEDS], "b": [THREE_SEEDS]}
    cut, whole = draw_differences(panels, "points").axes
    low, high = cut.get_xlim()
    assert (low, high) == whole.get_xlim()
    assert -12 < low < -8 and 10 < high < 12
    assert {("<", low), (">", high)} <= set(_markers(cut))
    assert not {"<", ">"} & {marker for marker, *_ in _markers(whole)}


def test_an_interval_over_three_seeds_is_drawn_whole():
    wide = DifferenceRow("wide", 0.0, (-5.0, 0.0, 5.0), (-20.0, 20.0))
    (axis,) = draw_differences({"a": [wide]}, "points").axes
    low, high = axis.get_xlim()
    assert low < -20 and high > 20


def test_no_difference_at_all_has_an_axis():
    (axis,) = draw_differences({"a": [DifferenceRow("same", 0.0, (0.0,))]}, "").axes
    low, high = axis.get_xlim()
    assert low < 0 < high
