"""Behavior of replacing files."""

import pytest

from grw_tf.common.replacing import replacing


def test_file_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise ValueError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_written_in_another_folder(tmp_path):
    (tmp_path / "scratch").mkdir()
    with replacing(tmp_path / "a.txt", tmp_path / "scratch") as unfinished:
        unfinished.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert unfinished.parent == tmp_path / "scratch"
