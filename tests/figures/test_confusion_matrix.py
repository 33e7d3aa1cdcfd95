"""Tests of drawing confusion matrices."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.figures.confusion_matrix import draw_confusion, figure_pixels


def _names(classes):
    return [f"class {index}" for index in range(classes)]


def _diagonal(classes, count=7):
    return count * np.eye(classes, dtype=int)


def _labels(axis):
    return [text.get_text() for text in axis.get_yticklabels()]


def test_colors_are_shares_of_rows_and_cells_hold_counts():
    counts = np.array([[30, 10, 0], [0, 0, 0], [1, 1, 2]])
    axis, bar = draw_confusion(counts, ["a", "b", "c"]).axes
    shares = axis.images[0].get_array()
    np.testing.assert_allclose(shares[0], [0.75, 0.25, 0])
    np.testing.assert_allclose(shares[2], [0.25, 0.25, 0.5])
    assert shares.mask[1].all() and "gray: no clips" in bar.get_ylabel()
    written = {text.get_position(): text.get_text() for text in axis.texts}
    assert written == {
        (0, 0): "30",
        (1, 0): "10",
        (0, 2): "1",
        (1, 2): "1",
        (2, 2): "2",
    }
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true class")


@pytest.mark.parametrize("classes", [1, 2, 10, 101])
def test_every_class_is_named_and_names_do_not_overlap(classes):
    figure = draw_confusion(_diagonal(classes), _names(classes))
    axis = figure.axes[0]
    assert _labels(axis) == _names(classes)
    assert len(axis.texts) == (classes if classes <= 20 else 0)
    height, width, _ = figure_pixels(figure).shape
    boxes = [label.get_window_extent() for label in axis.get_yticklabels()]
    assert all(above.y0 >= box.y1 for above, box in itertools.pairwise(boxes))
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.y1 <= height for box in boxes)
    below = [label.get_window_extent() for label in axis.get_xticklabels()]
    assert all(box.y0 >= 0 and box.x1 <= width for box in below)


def test_many_classes_are_numbered_and_the_figure_stays_small():
    figure = draw_confusion(_diagonal(600), _names(600))
    axis = figure.axes[0]
    pixels = figure_pixels(figure)
    assert max(pixels.shape) < 1200
    assert not axis.texts
    assert all(label.lstrip("−").isdigit() for label in _labels(axis))


def test_long_and_odd_names_are_drawn_as_text():
    names = ["playing the didgeridoo at a very long party", "x $5$ _^{ jump"]
    figure = draw_confusion(_diagonal(2), names)
    assert _labels(figure.axes[0]) == ["playing the didgeridoo …", "x $5$ _^{ jump"]
    assert figure_pixels(figure).size


def test_pixels_are_an_image_of_tensorboard():
    pixels = figure_pixels(draw_confusion(_diagonal(3), "abc"))
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert (pixels[0, 0] == 255).all() and pixels.min() < 50
    assert tf.io.encode_png(pixels).dtype == tf.string


@pytest.mark.parametrize(
    ("counts", "names", "message"),
    [
        (np.eye(3), "ab", r"got \(3, 3\) and 2 names"),
        (np.ones((2, 3)), "ab", r"got \(2, 3\) and 2 names"),
        (np.zeros((0, 0)), "", r"got \(0, 0\) and 0 names"),
        (-np.eye(2), "ab", "at least 0, got -1"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(counts, names, message):
    with pytest.raises(ValueError, match=message):
        draw_confusion(counts, names)
