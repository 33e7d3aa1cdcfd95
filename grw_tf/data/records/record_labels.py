"""Reads the labels of records without their frames."""

from typing import Any

import numpy as np
import tensorflow as tf

from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.records.sequence_examples import FRAMES, LABEL_INDEX


def labels_of(
    source: Any,
    share: Share,
    num_classes: int,
    image_key: str = FRAMES,
    label_key: str = LABEL_INDEX,
) -> np.ndarray:
    """Returns the class of each clip in the order of the files, int64 [clips].

    Args:
        source: A `RecordSource` or `TfdsSource`.
        share: Part of the records to read.
        num_classes: Number of classes.
        image_key: Key of the frames in decoded records.
        label_key: Key of the label in decoded records.

    Raises:
        ValueError: If a label is not a class.
    """
    decode = source.decoder(image_key, label_key)
    labels = in_order(share).map(
        lambda record: tf.reshape(decode(record)[label_key], ()),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    found = np.fromiter(labels.as_numpy_iterator(), np.int64)
    wrong = found[(found < 0) | (found >= num_classes)]
    if len(wrong):
        raise ValueError(
            f"{source.where} has a clip of class {wrong[0]}, which is not one of the"
            f" {num_classes}: make the records again."
        )
    return found
