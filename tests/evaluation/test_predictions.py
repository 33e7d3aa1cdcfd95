"""Tests of writing predictions and results."""

import csv
import json

import numpy as np
import pytest

from grw_tf.evaluation.predictions import write_predictions, write_results

CLASSES = ("a", "run, fast", 'say "hi"', "über", "e", "f")
ODD_NAMES = (
    "a,b.mp4",
    'c "d".mp4',
    "ä 日本.mp4",
    "new\nline.mp4",
    "cr\r.mp4",
    "\udcff",
)


def _read_back(path):
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_of_odd_names_are_read_back(tmp_path):
    path = tmp_path / "predictions.csv"
    labels = np.arange(6)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), 6)
    write_predictions(path, ODD_NAMES, labels, probabilities, CLASSES)
    rows = _read_back(path)
    assert tuple(row["path"] for row in rows) == ODD_NAMES
    assert tuple(row["label"] for row in rows) == CLASSES
    for row, label, given in zip(rows, labels, probabilities, strict=True):
        best = np.argsort(-given)[:5]
        assert row["predicted"] == row["top_1"] == CLASSES[best[0]]
        assert [row[f"top_{k}"] for k in range(1, 6)] == [CLASSES[i] for i in best]
        written = [float(row[f"probability_{k}"]) for k in range(1, 6)]
        np.testing.assert_allclose(written, given[best], rtol=1e-5)
        assert float(row["probability_of_label"]) == pytest.approx(given[label], 1e-5)


def test_fewer_classes_have_fewer_columns(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, ["x"], [1], [[0.25, 0.75]], ("no", "yes"))
    assert path.read_text() == (
        "path,label,predicted,probability_of_label"
        ",top_1,probability_1,top_2,probability_2\n"
        "x,yes,yes,0.75,yes,0.75,no,0.25\n"
    )


def test_wrong_predictions_leave_what_was_there(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="2 names for 1 clips"):
        write_predictions(path, ["x", "y"], [1], [[0.25, 0.75]], ("no", "yes"))
    with pytest.raises(ValueError, match="take the softmax"):
        write_predictions(path, ["x"], [1], [[2.0, 7.0]], ("no", "yes"))
    with pytest.raises(UnicodeEncodeError):
        write_predictions(path, ["\ud800"], [1], [[0.25, 0.75]], ("no", "yes"))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_results_are_json(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, {"top_1": 0.5, "classes": ["über"]})
    assert json.loads(path.read_text()) == {"top_1": 0.5, "classes": ["über"]}
    with pytest.raises(ValueError):
        write_results(path, {"top_1": float("nan")})
    assert json.loads(path.read_text())["top_1"] == 0.5
    assert list(tmp_path.iterdir()) == [path]
