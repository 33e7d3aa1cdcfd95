"""The labels of records, without their frames."""

import numpy as np
import tensorflow as tf

from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.records.sequence_examples import FRAMES, LABEL_INDEX


def labels_of(
    source, share: Share, num_classes, image_key=FRAMES, label_key=LABEL_INDEX
) -> np.ndarray:
    """Returns int64 [clips], the class of each clip, in the order of the files.

    Args:
        source: A `RecordSource` or `TfdsSource`.
        share: Of its files, what to read.
        num_classes: How many classes there are.
        image_key, label_key: Of the features of its decoded records.

    Raises:
        ValueError: If a label is none of the classes.
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
            f"{source.where} has a clip of class {wrong[0]}, which is none of the"
            f" {num_classes}: make the records again."
        )
    return found
