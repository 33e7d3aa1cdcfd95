"""Checks of estimates on two virtual devices, to be set before TensorFlow is used."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.models.batch_normalization import batch_normalizations, synchronize
from grw_tf.training.batch_statistics import (
    BatchStatistics,
    trained_batch_normalizations,
)

CLIPS = np.random.default_rng(0).normal(3, 2, (12, 4, 16, 16, 3)).astype("float32")


def _model():
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Conv3D(8, 3, padding="same"),
            tf_keras.layers.BatchNormalization(),
            tf_keras.layers.ReLU(),
            tf_keras.layers.Conv3D(8, 3),
            tf_keras.layers.BatchNormalization(),
        ]
    )
    model.build((None, *CLIPS.shape[1:]))
    synchronize(model)
    return model


def _estimates(replicas):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])

    def share(context):
        size = context.get_per_replica_batch_size(6)
        return tf.data.Dataset.from_tensor_slices((CLIPS, CLIPS[:, 0])).batch(size)

    with strategy.scope():
        model = _model()
        before = model.get_weights()
        statistics = BatchStatistics(model, trained_batch_normalizations(model))
        batches = strategy.distribute_datasets_from_function(share)
        runs = []
        for _ in range(2):
            assert statistics.estimate(batches) == len(CLIPS)
            runs.append([value.numpy() for value in model.non_trainable_variables])
            for layer in batch_normalizations(model):
                one, *others = strategy.experimental_local_results(layer.moving_mean)
                for other in others:
                    np.testing.assert_array_equal(one, other)
        statistics.put_back()
        for value, wanted in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(value, wanted)
    for value, again in zip(*runs, strict=True):
        np.testing.assert_array_equal(value, again)
    return runs[0]


@pytest.fixture(scope="module", autouse=True)
def two_devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


def test_two_replicas_estimate_as_one():
    one, several = _estimates(1), _estimates(2)
    assert len(one) == 4
    for value, wanted in zip(several, one, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)
