"""Tests of accuracy class by class."""

import csv

import numpy as np
import pytest

from grw_tf.evaluation.measures import measure
from grw_tf.kinetics600.class_table import class_rows, class_text, write_class_table

NAMES = ("run", "jump", "sit", "never")


@pytest.fixture(scope="module")
def measures():
    # Of run 2 of 3 are right, of jump none of 2, both taken for run; sit is right.
    labels = [0, 0, 0, 1, 1, 2]
    predicted = [0, 0, 2, 0, 0, 2]
    return measure(labels, np.eye(4)[predicted], NAMES)


def test_rows_are_counted_by_hand(measures):
    run, jump, sit, never = class_rows(measures)
    assert run == {
        "class": "run",
        "clips": 3,
        "right": 2,
        "top_1": pytest.approx(2 / 3),
        "precision": 0.5,
        "f1": pytest.approx(4 / 7),
        "mistaken_most_for": "sit",
        "times": 1,
    }
    assert (jump["top_1"], jump["precision"], jump["times"]) == (0, None, 2)
    assert (sit["top_1"], sit["mistaken_most_for"]) == (1, "")
    assert (never["clips"], never["top_1"], never["f1"]) == (0, None, None)


def test_csv_has_a_line_for_each_class(measures, tmp_path):
    path = tmp_path / "per_class.csv"
    write_class_table(path, measures)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(NAMES)
    assert [row["top_1"] for row in rows] == ["0.666667", "0", "1", ""]
    assert [row["mistaken_most_for"] for row in rows] == ["sit", "run", "", ""]


def test_text_has_the_worst_first(measures):
    lines = class_text(measures).splitlines()
    assert lines[0] == "3 classes, worst first"
    assert [line.split()[0] for line in lines[2:]] == ["jump", "run", "sit"]
    assert lines[2].split() == ["jump", "2", "0", "0.000", "run", "(2)"]


def test_text_of_many_classes_has_both_ends(measures):
    text = class_text(measures, shown=1)
    assert "The 1 worst of 3 classes" in text and "The 1 best" in text
    assert "jump" in text and "sit" in text and "\nrun" not in text
    assert class_text(measures, shown=None) == class_text(measures)
