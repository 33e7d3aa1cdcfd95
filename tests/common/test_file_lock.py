"""Tests of locks."""

import threading

import pytest

from grw_tf.common.file_lock import locked


def test_held_lock_is_refused(tmp_path):
    busy = ValueError("wait for its end")
    with (
        locked(tmp_path / "lock"),
        pytest.raises(ValueError, match="wait for its end"),
        locked(tmp_path / "lock", busy),
    ):
        pass
    with locked(tmp_path / "lock", busy):
        pass


def test_held_lock_is_waited_for(tmp_path, caplog):
    held = []

    def wait():
        with locked(tmp_path / "lock"):
            held.append(True)

    thread = threading.Thread(target=wait)
    with locked(tmp_path / "lock"):
        thread.start()
        thread.join(0.5)
        assert not held
    thread.join(30)
    assert held and "Waiting for another process that holds" in caplog.text
