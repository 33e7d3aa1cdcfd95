"""Tests of leaving lines out of the standard error."""

import os

import pytest

from grw_tf.common.held_stderr import stderr_without


def test_only_lines_with_the_text_are_left_out(capfd):
    with stderr_without("cuInit"):
        os.write(2, b"first\nfailed call to cuInit: 303\nlast\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "first\nlast\nafter\n"


def test_lines_before_an_error_are_written(capfd):
    with pytest.raises(KeyError), stderr_without("cuInit"):
        os.write(2, b"why\n")
        raise KeyError
    assert capfd.readouterr().err == "why\n"
