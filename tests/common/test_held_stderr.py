"""Tests of leaving lines out of the standard error."""

import os

import pytest

from grw_tf.common.held_stderr import stderr_without


def test_only_lines_with_the_texts_are_left_out(capfd):
    with stderr_without("cuInit", "mlir"):
        os.write(2, b"first\nfailed call to cuInit: 303\nmlir is on\nlast\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "first\nlast\nafter\n"


def test_lines_before_an_error_are_written(capfd):
    with pytest.raises(KeyError), stderr_without("cuInit"):
        os.write(2, b"why\n")
        raise KeyError
    assert capfd.readouterr().err == "why\n"


def test_closed_standard_error_is_no_obstacle(run_code):
    code = """
import os
os.close(2)
from grw_tf.common.held_stderr import stderr_without
with stderr_without("cuInit"):
    print("within")
"""
    assert run_code(code).stdout == "within\n"
