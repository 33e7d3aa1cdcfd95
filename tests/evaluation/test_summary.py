"""Tests of the table of several runs."""

import json

import pytest

from grw_tf.evaluation.summary import summarize


def _write(path, accuracy, streaming=None):
    path.parent.mkdir(parents=True)
    results = {"top_1": accuracy, "macro_f1": accuracy / 2}
    path.write_text(json.dumps(results | (streaming or {})))


def test_rows_are_means_and_deviations(tmp_path):
    curve = {"accuracy_after_each_frame": [0.1, 0.2, 0.3, 0.4]}
    streaming = {
        "streaming": curve | {"label_changes_per_second": 2, "probability_change": 0.5}
    }
    for seed, accuracy in enumerate((0.5, 0.7, 0.9)):
        _write(tmp_path / f"grw-{seed}" / "results.json", accuracy, streaming)
    _write(tmp_path / "probe" / "results.json", 0.25)
    patterns = [str(tmp_path / "grw-*/results.json"), str(tmp_path / "probe/*.json")]
    header, _, first, second = summarize(patterns).splitlines()
    names = [cell.strip() for cell in header.split("|")[2:-1]]
    cells = [cell.strip() for cell in first.split("|")[2:-1]]
    row = dict(zip(names, cells, strict=True))
    assert row["number"] == "3"
    assert row["accuracy"] == "0.700 ± 0.200"
    assert row["macro-F1"] == "0.350 ± 0.100"
    assert row["after 50% of the frames"] == "0.200 ± 0.000"
    assert row["label changes/s"] == "2.000 ± 0.000"
    cells = [cell.strip() for cell in second.split("|")[2:-1]]
    assert cells == ["1", "0.250", "0.125", *[""] * 5]


def test_nothing_to_sum_up_is_refused(tmp_path):
    with pytest.raises(ValueError, match="No file matches .*none"):
        summarize([str(tmp_path / "none*")])
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(ValueError, match="wrong.json holds no results"):
        summarize([str(tmp_path / "wrong.json")])
