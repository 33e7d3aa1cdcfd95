"""Tests of the folder of a training."""

import shutil
import types

import pytest
import tensorflow as tf

from grw_tf.training.model_dir import check_room, claimed


def test_folder_is_made_and_freed_again(tmp_path):
    for _ in range(2):
        with claimed(tmp_path / "new" / "run"):
            pass


def test_second_claim_is_refused(tmp_path):
    with claimed(tmp_path):
        with pytest.raises(ValueError, match="Another training runs in"):
            with claimed(tmp_path):
                pass


@pytest.mark.parametrize("inner", [".", "inner"])
def test_file_in_its_place_is_refused(tmp_path, inner):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"--model_dir=.*file.* cannot be written \("):
        with claimed(tmp_path / "file" / inner):
            pass


def test_read_only_disk_is_refused():
    with pytest.raises(OSError, match=r"--model_dir=/proc/run cannot be written \("):
        with claimed("/proc/run"):
            pass


def test_full_disk_is_told_before_training(tmp_path, monkeypatch):
    variables = [tf.zeros((250, 1000)), tf.zeros(250_000, tf.float64)]
    full = types.SimpleNamespace(free=8_900_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError, match="has 9 MB for checkpoints, and 3 take 9 MB"):
        check_room(tmp_path, variables, 3)
    # What is there already gives way.
    (tmp_path / "ckpt-1.data-00000-of-00001").write_bytes(b" " * 200_000)
    check_room(tmp_path, variables, 3)
