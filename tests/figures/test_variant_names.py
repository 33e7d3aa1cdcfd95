"""Tests that figures have room for the long names of variants."""

import pytest

from grw_tf.figures.differences import DifferenceRow, draw_differences
from grw_tf.figures.training_curves import draw_training_curves

LONG = "grw_intermediate:smoothing.weight=0.01:smoothing.warmup_steps=324+rms"


def _inside(figure, boxes):
    figure.draw_without_rendering()
    whole = figure.bbox
    return all(
        whole.x0 <= box.x0 and box.x1 <= whole.x1
        for box in (found.get_window_extent() for found in boxes)
    )


@pytest.mark.parametrize("name", ["grw", LONG])
def test_differences_have_the_width_of_the_figure(name):
    rows = [DifferenceRow(name, 1.0, (0.0, 2.0), (-1.0, 3.0), (0.0, 2.0))]
    figure = draw_differences({"set": rows}, "difference in accuracy, points")
    (axis,) = figure.axes
    (label,) = axis.texts
    assert label.get_text() == name
    assert _inside(figure, [label, axis.xaxis.label])
    assert axis.get_window_extent().width > 0.9 * figure.bbox.width


@pytest.mark.parametrize("name", ["grw", LONG])
def test_legend_of_training_curves_is_inside_the_figure(name):
    band = {"steps": [1, 2], "mean": [0.1, 0.2], "low": [0, 0.1], "high": [0.2, 0.3]}
    of = {"baseline": band, name: band, f"{name}+cutmix": band}
    measure = {"train": of, "validation": of}
    figure = draw_training_curves({"Loss": measure, "Accuracy": measure})
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][1] == name
    assert _inside(figure, [legend])
