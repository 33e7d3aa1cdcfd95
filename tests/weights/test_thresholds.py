"""Tests of the scores from which classes are named."""

import json

import pytest

from grw_tf.weights.thresholds import thresholds_for

NAMES = ("a", "b", "c")


@pytest.fixture
def checkpoint(tmp_path):
    """A folder as the trainer leaves it, whose validation had no clips of c."""
    content = {"mean_average_precision": 0.5, "best_thresholds": [0.3, 0.7, None]}
    (tmp_path / "info.json").write_text(json.dumps(content))
    return tmp_path


def test_those_of_training_are_taken(checkpoint):
    assert thresholds_for("", checkpoint, NAMES, NAMES) == (0.3, 0.7, 0.5)
    assert thresholds_for("", checkpoint / "ckpt-1", NAMES, ("b",)) == (0.7,)


def test_without_any_it_is_a_half_with_a_warning(tmp_path, caplog):
    assert thresholds_for("", tmp_path, NAMES, NAMES) == (0.5, 0.5, 0.5)
    assert "records no thresholds" in caplog.text


def test_a_number_is_for_all(checkpoint):
    assert thresholds_for("0.25", checkpoint, NAMES, ("a", "c")) == (0.25, 0.25)


def test_those_of_a_file_are_by_name(checkpoint):
    file = checkpoint / "thresholds.json"
    file.write_text(json.dumps({"thresholds": {"c": 0.1, "a": 1, "other": 0.4}}))
    assert thresholds_for(str(file), checkpoint, NAMES, ("a", "c")) == (1.0, 0.1)
    with pytest.raises(ValueError, match="lacks a threshold of b"):
        thresholds_for(str(file), checkpoint, NAMES, NAMES)


@pytest.mark.parametrize("content", ["[]", "{}", "no", '{"thresholds": [0.5]}'])
def test_files_of_something_else_are_told(tmp_path, content):
    file = tmp_path / "thresholds.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="holds no thresholds: expected JSON"):
        thresholds_for(str(file), tmp_path, NAMES, NAMES)


@pytest.mark.parametrize("number", ["1.5", "-0.1", "nan", "inf"])
def test_numbers_that_are_no_scores_are_told(tmp_path, number):
    with pytest.raises(ValueError, match="a threshold is a score from 0 to 1"):
        thresholds_for(number, tmp_path, NAMES, NAMES)
    file = tmp_path / "thresholds.json"
    text = json.dumps({"thresholds": dict.fromkeys(NAMES, float(number))})
    file.write_text(text)
    with pytest.raises(ValueError, match="'a' is .*: a threshold is a score"):
        thresholds_for(str(file), tmp_path, NAMES, NAMES)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(OSError, match="cannot be read"):
        thresholds_for(str(tmp_path / "no.json"), tmp_path, NAMES, NAMES)
