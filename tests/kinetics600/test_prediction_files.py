"""Tests of files of predictions."""

import numpy as np
import pytest

from grw_tf.kinetics600.prediction_files import PredictedClips, PredictionFiles

PLAN = {"settings": {"weights": "abc"}, "videos": 5, "videos_sha256": "d"}
SIZES = [10, 11, 12, 13, 14]


def _predicted(files, number):
    """A clip of each video but the second; the third is broken, the fifth short."""
    rows = [v for v in files.videos(number) if v not in (1, 2)]
    return PredictedClips(
        logits=np.outer(np.add(rows, 1), [1, -1]).astype(np.float32).reshape(-1, 2),
        videos=np.array(rows, np.int64),
        too_short=np.array([v == 4 for v in rows], bool),
        dropped=tuple(v for v in files.videos(number) if v == 1),
        unreadable={v: "is empty" for v in files.videos(number) if v == 2},
    )


def _files(folder, plan=PLAN, sizes=SIZES):
    return PredictionFiles(folder, plan, sizes, videos_per_file=2)


def test_files_come_back_as_one_in_order(tmp_path):
    files = _files(tmp_path / "a" / "b")
    assert len(files) == 3
    assert [list(files.videos(k)) for k in range(3)] == [[0, 1], [2, 3], [4]]
    for number in (2, 0):
        files.write(number, _predicted(files, number))
    again = _files(tmp_path / "a" / "b")
    assert again.missing() == [1]
    again.write(1, _predicted(again, 1))
    assert again.missing() == []
    read = files.read()
    assert read.logits.tolist() == [[1, -1], [4, -4], [5, -5]]
    assert read.logits.dtype == np.float32
    assert read.videos.tolist() == [0, 3, 4]
    assert read.too_short.tolist() == [False, False, True]
    assert read.dropped == (1,) and read.unreadable == {2: "is empty"}


def test_other_runs_are_refused(tmp_path):
    _files(tmp_path)
    other = PLAN | {"settings": {"weights": "xyz"}}
    with pytest.raises(ValueError, match="begun with weights abc, not xyz: give anoth"):
        _files(tmp_path, other)
    with pytest.raises(ValueError, match="5 videos, not these 5, or with other"):
        _files(tmp_path, PLAN | {"videos_sha256": "e"})


def test_files_of_changed_videos_and_damaged_ones_are_missing(tmp_path, caplog):
    files = _files(tmp_path)
    for number in range(3):
        files.write(number, _predicted(files, number))
    assert _files(tmp_path, sizes=[10, 11, 12, 99, 14]).missing() == [1]
    assert "00001.npz will be made again: its videos have changed" in caplog.text
    path = tmp_path / "predictions" / "00002.npz"
    path.write_bytes(path.read_bytes()[:-100])
    assert files.missing() == [2]
    assert "00002.npz will be made again: it is damaged" in caplog.text
    with pytest.raises(ValueError, match="00002.npz is damaged: remove it"):
        files.read()
