"""Tests of the weights of classes in the loss."""

import numpy as np
import pytest
import sklearn.utils.class_weight
import tensorflow as tf

from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.records.record_stream import Share, in_order
from grw_tf.data.records.sequence_examples import LABEL_INDEX
from grw_tf.training.tasks.class_weights import balanced_weights, given_weights


def test_balanced_weights_are_sklearns(colored_records):
    source = RecordSource(f"{colored_records}/train-*00000*,{colored_records}/test-*")
    labels = []
    for record in in_order(Share(source.files)).as_numpy_iterator():
        context = tf.train.SequenceExample.FromString(record).context.feature
        labels += context[LABEL_INDEX].int64_list.value
    assert labels.count(0) != labels.count(1)
    expected = sklearn.utils.class_weight.compute_class_weight(
        "balanced", classes=np.arange(2), y=labels
    )
    np.testing.assert_allclose(balanced_weights(source, 2), expected)


def test_numbers_are_taken_as_they_are():
    np.testing.assert_array_equal(given_weights([1, 0.5, 0], 3), [1, 0.5, 0])


@pytest.mark.parametrize(
    "setting", ["even", [1.0], [1, -1, 1], [0, 0, 0], [1, "2", 3], [1, np.nan, 1], 3]
)
def test_anything_else_is_refused(setting):
    with pytest.raises(ValueError, match="list of 3 numbers from 0 on, one per class"):
        given_weights(setting, 3)
