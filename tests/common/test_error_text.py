"""Tests of errors in one line."""

import tensorflow as tf

from grw_tf.common.error_text import one_line


def test_message_is_in_one_line():
    assert one_line(ValueError("first\n  second")) == "first second"
    assert one_line(ValueError("x" * 400)) == "x" * 300
    assert one_line(ValueError("abc"), limit=2) == "ab"


def test_error_without_message_is_named():
    assert one_line(RuntimeError()) == "RuntimeError"


def test_errors_of_tensorflow_leave_out_the_operation():
    error = tf.errors.NotFoundError(None, None, "no\nfile")
    assert one_line(error) == "no file"
