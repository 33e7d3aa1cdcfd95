"""Tests of starting from a checkpoint's backbone."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.models import HeadConfig, build_model, preset
from grw_tf.models.config import BackboneConfig
from grw_tf.models.restore import restore_backbone


def _equal_backbones(first, second):
    for mine, theirs in zip(
        first.backbone.weights, second.backbone.weights, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs, err_msg=mine.name)


@pytest.mark.parametrize("root", ["model", "backbone"])
@pytest.mark.parametrize("head", ["official", "transformer"])
def test_backbone_comes_from_either_root_into_any_head(nano, tmp_path, root, head):
    saved = nano()
    items = {"model": saved} if root == "model" else {"backbone": saved.backbone}
    path = tf.train.Checkpoint(**items).save(tmp_path / "ckpt")
    model = nano(fresh=True, head=HeadConfig(type=head, num_heads=2), num_classes=3)
    for weight in model.backbone.weights:
        weight.assign(tf.zeros_like(weight))
    restore_backbone(model, path)
    _equal_backbones(model, saved)


def test_backbone_comes_from_this_projects_transformer_models(nano, tmp_path):
    saved = nano(head=HeadConfig(type="transformer", num_heads=2))
    tf.train.Checkpoint(model=saved).save(tmp_path / "ckpt")
    model = nano(fresh=True)
    restore_backbone(model, tmp_path)
    _equal_backbones(model, saved)


@pytest.mark.parametrize(
    "backbone",
    [
        {"conv_type": "3d"},
        {"se_type": "none"},
        {"activation": "swish"},
        {"gating_activation": "hard_sigmoid_relu6"},
    ],
    ids=lambda backbone: next(iter(backbone)),
)
def test_recorded_backbone_of_another_kind_is_refused(nano, tmp_path, backbone):
    path = tf.train.Checkpoint(model=nano()).save(tmp_path / "ckpt")
    ((name, value),) = backbone.items()
    with pytest.raises(ValueError, match=rf"backbone\.{name}=.* built with {value}"):
        restore_backbone(nano(fresh=True, backbone=backbone), path)


@pytest.mark.parametrize(
    "backbone, message",
    [
        # Fewer variables than saved, more, and as many of other shapes.
        ({"se_type": "none"}, "it has .* variables, the model's backbone"),
        ({"use_positional_encoding": True}, "it has .* variables, the model's backb"),
        ({"se_type": "3d"}, "does not hold the weights of this backbone"),
    ],
    ids=["fewer", "more", "shapes"],
)
def test_unrecorded_backbone_of_another_kind_is_refused(
    nano, tmp_path, backbone, message
):
    path = tf.train.Checkpoint(backbone=nano().backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match=message):
        restore_backbone(nano(fresh=True, backbone=backbone), path)


def test_checkpoint_without_a_backbone_is_refused(nano, tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match=r"neither a model nor a backbone, only \['s"):
        restore_backbone(nano(), path)


@pytest.mark.parametrize("name", ["nothing", "nothing.tar.gz"])
def test_missing_checkpoint_is_named(nano, tmp_path, name):
    with pytest.raises(ValueError, match=f"There is no checkpoint .*{name}"):
        restore_backbone(nano(), tmp_path / name)


def test_empty_folder_is_refused(nano, tmp_path):
    with pytest.raises(ValueError, match="Expected one checkpoint .* found 0"):
        restore_backbone(nano(), tmp_path)


def test_real_archive_is_restored(shared):
    stream = preset("a0_stream").backbone
    backbone = BackboneConfig(
        **{**vars(stream), "gating_activation": "hard_sigmoid_relu6"}
    )
    model = build_model(
        preset("a0_stream", backbone=backbone, num_classes=2, frames=2, size=32)
    )
    archive = "movinet_a0_stream_trained_model_only.tar.gz"
    restore_backbone(model, shared / "data" / "real_a0_stream" / archive)
    # ReZero starts at 0: a trained network has left it.
    scales = [w for w in model.backbone.weights if w.name.endswith("scale:0")]
    assert scales and all(np.abs(scale.numpy()) > 0 for scale in scales)
