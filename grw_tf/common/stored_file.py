"""Files on the disk or in a cloud storage."""

import os

import tensorflow as tf


def read_bytes(path: str | os.PathLike) -> bytes:
    try:
        with tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {error.message}") from None
