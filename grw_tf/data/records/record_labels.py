"""Reads the labels of records without their frames."""

from typing import Any

import numpy as np
import tensorflow as tf

from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.records.sequence_examples import FRAMES, LABEL_INDEX


def label_lists_of(
    source: Any,
    share: Share,
    num_classes: int,
    image_key: str = FRAMES,
    label_key: str = LABEL_INDEX,
) -> list[np.ndarray]:
    """Returns the indices of the classes of each clip, in the order of the files.

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
        lambda record: tf.reshape(decode(record)[label_key], (-1,)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    found = []
    for of_clip in labels.as_numpy_iterator():
        wrong = of_clip[(of_clip < 0) | (of_clip >= num_classes)]
        if len(wrong):
            raise ValueError(
                f"{source.where} has a clip of class {wrong[0]}, which is not one of"
                f" the {num_classes}: make the records again."
            )
        found.append(np.unique(of_clip))
    return found


def labels_of(
    source: Any,
    share: Share,
    num_classes: int,
    image_key: str = FRAMES,
    label_key: str = LABEL_INDEX,
) -> np.ndarray:
    """Returns the class of each clip in the order of the files, int64 [clips].

    Args: as `label_lists_of`.

    Raises:
        ValueError: If a label is not a class, or a clip has another number of labels
            than one.
    """
    lists = label_lists_of(source, share, num_classes, image_key, label_key)
    for labels in lists:
        if len(labels) != 1:
            raise ValueError(
                f"{source.where} has a clip with {len(labels)} labels, and a softmax"
                " takes one: train a model with task.model.output_activation=sigmoid."
            )
    return np.array(lists, np.int64).reshape(len(lists))
