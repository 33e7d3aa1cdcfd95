"""Checks of imagenet_rms.py of docs/rms_on_images.md, which must be importable."""

import numpy as np
import pytest
import tensorflow as tf
from imagenet_rms import BottleneckBlock
from official.core import exp_factory, task_factory

from grw_tf.layers import RandomMeanScaling

SIZE = 64


def _build(experiment):
    config = exp_factory.get_exp_config(experiment)
    config.task.model.num_classes = 1000
    config.task.model.input_size = [SIZE, SIZE, 3]
    return task_factory.get_task(config.task).build_model()


@pytest.fixture(scope="module")
def scaled():
    return _build("resnet_imagenet_rms")


@pytest.fixture(scope="module")
def plain():
    return _build("resnet_imagenet")


def test_it_has_the_published_size(scaled):
    weights = sum(int(tf.size(weight)) for weight in scaled.trainable_weights)
    assert round(weights / 1e6, 2) == 25.56


def test_rms_comes_before_the_last_norm_of_each_block_of_res4_and_res5(scaled):
    blocks = [x for x in scaled.backbone.layers if isinstance(x, BottleneckBlock)]
    acting = [
        any(isinstance(layer, RandomMeanScaling) for layer in block.submodules)
        for block in blocks
    ]
    assert acting == [False] * (3 + 4) + [True] * (6 + 3)
    for block in blocks[7:]:
        assert isinstance(block._norm3.before, RandomMeanScaling)
    assert sum(isinstance(x, RandomMeanScaling) for x in scaled.submodules) == 9


def test_checkpoints_fit_both_and_outputs_are_equal_at_inference(
    scaled, plain, tmp_path
):
    images = np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3)).astype("float32")
    assert np.any(scaled(images) != plain(images))
    path = tf.train.Checkpoint(model=scaled).write(str(tmp_path / "checkpoint"))
    status = tf.train.Checkpoint(model=plain).read(path)
    status.assert_consumed()
    np.testing.assert_array_equal(
        scaled(images, training=False), plain(images, training=False)
    )
    trained = scaled(images, training=True) - plain(images, training=True)
    assert np.abs(trained).max() > 1e-3
