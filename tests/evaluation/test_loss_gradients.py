"""Tests of measuring the gradients of the classification loss and of smoothing."""

import re

import numpy as np
import pytest
import tensorflow as tf
from clip_records import example_of, write_records

from grw_tf.evaluation.loss_gradients import (
    LossGradientsConfig,
    loss_gradients,
    measure_loss_gradients,
)
from grw_tf.models import HeadConfig
from grw_tf.models.config import SmoothingConfig

HEAD = HeadConfig(type="mean", embed_dim=6)
WEIGHT = 0.03


@pytest.fixture
def smoothed(nano):
    """A function that builds a tiny model with smoothing of a weight."""
    return lambda weight: nano(
        head=HEAD,
        smoothing=SmoothingConfig(layers=("final",), window=4, weight=weight),
        scratch=True,
    )


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(0)
    clips = draw.uniform(size=(2, 8, 32, 32, 3)).astype(np.float32)
    return clips, np.array([1, 3])


def test_both_gradients_add_up_to_that_of_a_training_step(smoothed, batch):
    parts = loss_gradients(smoothed(1.0), [batch])

    model = smoothed(WEIGHT)
    clips, labels = batch
    with tf.GradientTape() as tape:
        logits = model(clips, training=True)
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        total = tf.reduce_mean(errors) + tf.add_n(model.losses)
    gradients = tape.gradient(total, model.trainable_variables)
    inside = {id(variable) for variable in model.backbone.trainable_variables}
    for name, part in parts.items():
        norm = tf.linalg.global_norm(
            [
                gradient
                for gradient, variable in zip(
                    gradients, model.trainable_variables, strict=True
                )
                if (id(variable) in inside) == (name == "backbone")
            ]
        )
        first, second = part.classification, WEIGHT * part.smoothing
        square = first**2 + second**2 + 2 * part.cosine * first * second
        np.testing.assert_allclose(np.sqrt(square), norm, rtol=1e-4)
        assert part.smoothing > 0 and abs(part.cosine) < 0.999
        np.testing.assert_allclose(part.balance * part.smoothing, first)


@pytest.mark.slow
def test_a_part_that_smoothing_does_not_reach_has_no_equal_weight(nano, batch):
    model = nano(
        head=HEAD,
        smoothing=SmoothingConfig(layers=("block1_layer1",), window=4, weight=1.0),
        scratch=True,
    )
    parts = loss_gradients(model, [batch])
    assert parts["head"].smoothing == 0 and parts["head"].balance == np.inf
    assert parts["backbone"].smoothing > 0


@pytest.fixture
def checkpoint(nano, tmp_path):
    """A function that saves a tiny model, trained without smoothing."""

    def save(**fields):
        model = nano(num_classes=6, **fields)
        return tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt"))

    return save


@pytest.fixture
def records(tmp_path):
    examples = [example_of(8 + k, label=k % 6, name=f"{k}.mp4") for k in range(5)]
    return write_records(tmp_path / "records", *examples)


@pytest.mark.slow
def test_a_table_shows_each_checkpoint(checkpoint, records):
    place = checkpoint(head=HEAD)
    table = measure_loss_gradients(
        LossGradientsConfig(
            f"{place},{place}", records, window=4, batch_size=2, batches=2
        )
    )
    assert table.count(f"{place}: smoothing of final, windows of 4 frames") == 2
    assert len(re.findall(r"^(?:backbone|head)( +[-+\d.e]+){4}$", table, re.M)) == 4


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"checkpoint_dir": "/none"}, "There is no checkpoint /none"),
        ({"layers": "final,blok"}, "blok"),
        ({"layers": ","}, "layers is ',': name at least one"),
        ({"window": -1}, "window is -1"),
        ({"batches": 0}, "batches is 0"),
    ],
)
def test_what_does_not_fit_is_refused(checkpoint, records, changes, message):
    settings = {
        "checkpoint_dir": checkpoint(head=HEAD),
        "records": records,
        "window": 4,
    }
    with pytest.raises(ValueError, match=message) as error:
        measure_loss_gradients(LossGradientsConfig(**settings | changes))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_head_without_embeddings_is_refused(checkpoint, records):
    with pytest.raises(ValueError, match="official"):
        measure_loss_gradients(LossGradientsConfig(checkpoint(), records, window=4))
