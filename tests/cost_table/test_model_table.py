"""Tests of the program that prints the table, and of its figure."""

import io
import json
import pathlib

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from grw_tf.cost_table import cache, table
from grw_tf.cost_table.labels import place_labels
from grw_tf.cost_table.table import ModelTableConfig, model_table

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "models.md"
_MODELS = "mobilenet_v3_small,mobilenet_v3_small_grw"


def _rows(text):
    """Returns the cells of the tables' lines in a page."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and "---" not in line
    ]


@pytest.mark.slow
def test_program_counts_prints_and_writes_and_a_second_run_counts_nothing(
    run_program, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "out"
    done = run_program(
        "scripts.model_table", f"--models={_MODELS}", f"--output_dir={folder}"
    )
    assert done.returncode == 0, done.stderr
    assert "counting mobilenet_v3_small (1 of 2)" in done.stderr
    text = (folder / table.MARKDOWN_FILE).read_text()
    assert done.stdout == f"{text}\nWritten to {folder}.\n"
    names = ("model", *_MODELS.split(","))
    shown = [row for row in _rows(DOCUMENT.read_text()) if row[0] in names]
    assert _rows(text)[:3] == shown[:3]
    small, smoothed = json.loads((folder / table.RESULTS_FILE).read_text())["models"]
    # Keras Applications says 56 M of a frame, the head of 1000 classes included.
    assert small["multiply_adds"] / 50e6 == pytest.approx(56, rel=0.03)
    assert abs(small["deviation"]) < 0.03
    assert small["backbone_parameters"] == smoothed["backbone_parameters"]
    assert smoothed["published"]["memory_mb"] == 30
    with Image.open(folder / table.FIGURE_FILE) as image:
        assert image.width > 1000

    def fail(config):
        raise AssertionError("counted again")

    monkeypatch.setattr(cache, "measure", fail)
    assert f"{model_table(ModelTableConfig(models=_MODELS))}\n" == text
    assert "counting" not in capsys.readouterr().err


def test_what_is_wrong_is_said_before_anything_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "known_cost", None)
    with pytest.raises(ValueError, match="did you mean 'a0_base'"):
        model_table(ModelTableConfig(models="a0_bas"))
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="is a file"):
        model_table(ModelTableConfig(models="a0_base", output_dir=str(file / "out")))


def test_names_beside_crowded_points_cover_neither_each_other_nor_points():
    figure = Figure(figsize=(5, 4))
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.set(xlim=(0, 10), ylim=(0, 10))
    points = [
        (5 + 0.4 * (i % 3), 5 + 0.4 * (i // 3), f"model {i}", "k") for i in range(9)
    ]
    points.append((9.9, 9.9, "in the corner", "k"))
    place_labels(axis, points)
    figure.savefig(io.BytesIO())
    renderer = figure.canvas.get_renderer()
    # The boxes of the words, without the lines that lead to points.
    boxes = [Text.get_window_extent(text, renderer) for text in axis.texts]
    names = sorted(text.get_text() for text in axis.texts)
    assert names == sorted(name for _, _, name, _ in points)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    marks = [axis.transData.transform((x, y)) for x, y, *_ in points]
    assert not any(box.contains(*mark) for box in boxes for mark in marks)
    frame = axis.get_window_extent(renderer)
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
