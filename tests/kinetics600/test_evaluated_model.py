"""Tests of models that are known before they are built."""

import numpy as np
import pytest
import tensorflow as tf
from toy_heads import HEADS

from grw_tf.kinetics600.evaluated_model import open_whole_model
from grw_tf.weights.torch.exporting import export_torch_weights


@pytest.fixture(scope="module")
def model(nano):
    return nano(head=HEADS["transformer"])


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    return tf.train.Checkpoint(model=model).save(folder / "ckpt")


def test_checkpoint_is_built_with_its_weights(model, checkpoint, clip):
    opened = open_whole_model(checkpoint)
    assert opened.config == model.config
    tf.debugging.assert_equal(opened.build()(clip), model(clip))


@pytest.mark.slow
def test_other_weights_have_another_fingerprint(model, nano, checkpoint, tmp_path):
    opened = open_whole_model(checkpoint)
    same = tf.train.Checkpoint(model=model).save(tmp_path / "same")
    assert open_whole_model(same).fingerprint == opened.fingerprint
    changed = nano(scratch=True, head=HEADS["transformer"])
    # A moving variance: it is not trained, and counts all the same.
    (variance, *_) = (w for w in changed.weights if "moving_variance" in w.name)
    variance.assign(variance + 1e-3)
    other = tf.train.Checkpoint(model=changed).save(tmp_path / "other")
    assert open_whole_model(other).fingerprint != opened.fingerprint


@pytest.mark.slow
def test_frames_may_be_changed(checkpoint, clip):
    opened = open_whole_model(checkpoint, frames=4, fps=2.5)
    assert (opened.config.frames, opened.config.fps) == (4, 2.5)
    built = opened.build()
    assert built.config == opened.config
    assert np.isfinite(built(clip[:, :4])).all()


def test_part_of_a_model_is_refused(nano, model, tmp_path):
    backbone = nano().backbone
    part = tf.train.Checkpoint(backbone=backbone).save(tmp_path / "part")
    with pytest.raises(ValueError, match="records no config: evaluate a training's"):
        open_whole_model(part)
    with pytest.raises(ValueError, match="There is no checkpoint"):
        open_whole_model(tmp_path / "none")


@pytest.mark.slow
def test_sigmoids_are_refused(nano, tmp_path):
    several = nano(output_activation="sigmoid")
    path = tf.train.Checkpoint(model=several).save(tmp_path / "several")
    with pytest.raises(ValueError, match="clips of Kinetics-600 have one class"):
        open_whole_model(path)


@pytest.mark.slow
def test_pytorch_file_is_the_same_model(model, checkpoint, clip, tmp_path):
    path = tmp_path / "weights.pt"
    export_torch_weights(checkpoint, path)
    opened = open_whole_model(path, frames=6)
    assert opened.config.frames == 6
    assert opened.fingerprint == open_whole_model(checkpoint).fingerprint
    again = open_whole_model(path).build()
    np.testing.assert_allclose(again(clip), model(clip), rtol=1e-5)
