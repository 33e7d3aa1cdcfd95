"""Tests of drawing the training curves of a report."""

import cv2
import pytest

from grw_tf.comparison.report import write_report
from grw_tf.comparison.training_curves import (
    TrainingCurvesConfig,
    write_training_curves,
)
from grw_tf.figures.training_curves import draw_training_curves


def _lines(axis, style):
    return [
        (line.get_color(), line.get_xdata().tolist(), line.get_ydata().tolist())
        for line in axis.lines
        if line.get_linestyle() == style
    ]


def test_each_measure_has_the_curves_of_all_variants(findings):
    found = findings.to_json()["training"]
    figure = draw_training_curves(found)
    assert [axis.get_title() for axis in figure.axes] == list(found)
    for axis, splits in zip(figure.axes, found.values(), strict=True):
        for split, style in (("train", "--"), ("validation", "-")):
            assert _lines(axis, style) == [
                (f"C{number}", band["steps"], band["mean"])
                for number, band in enumerate(splits[split].values())
            ]
        assert len(axis.collections) == len(splits["validation"])
    (legend,) = figure.legends
    names = [variant.name for variant in findings.variants]
    told = [text.get_text() for text in legend.get_texts()]
    assert told == [*names, "training", "validation"]


def test_picture_is_written_from_the_report(plan, tmp_path):
    write_report(plan, plan.seeds, "")
    output = tmp_path / "curves.png"
    config = TrainingCurvesConfig(str(plan.folder / "report.json"), str(output))
    write_training_curves(config)
    picture = cv2.imread(str(output))
    assert picture.min() < 100 and picture.max() == 255


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"training": {}}'])
def test_reports_without_curves_are_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    config = TrainingCurvesConfig(str(tmp_path / "report.json"), str(tmp_path / "out"))
    with pytest.raises(ValueError, match="report.json holds no training curves: give"):
        write_training_curves(config)
    assert not (tmp_path / "out").exists()
