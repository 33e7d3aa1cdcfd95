"""Reads files from disk or cloud storage."""

import os

import tensorflow as tf

from grw_tf.common.error_text import one_line


def read_bytes(path: str | os.PathLike) -> bytes:
    """Returns the content of a file.

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        with tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {one_line(error)}") from None
