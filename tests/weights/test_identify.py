"""Tests of identifying a checkpoint's model by its variables, and of the report."""

import dataclasses
import math

import pytest
import tensorflow as tf
from everyday import slow_but
from toy_backbones import BACKBONES, OTHERS

from grw_tf.models import HeadConfig
from grw_tf.weights.identify import identify
from grw_tf.weights.inspection import inspect
from grw_tf.weights.saved_variables import SavedVariables

TRANSFORMER = HeadConfig(
    type="transformer", embed_dim=32, depth=2, num_heads=4, mlp_dim=16
)

MEAN = HeadConfig(type="mean", embed_dim=32)


# Positions are in the squeeze excitation.
@pytest.mark.parametrize(
    "conv_type, se_type, positions",
    slow_but(
        [("3d_2plus1d", "3d", False)],
        [
            (conv_type, se_type, positions)
            for conv_type in ("2plus1d", "3d_2plus1d", "3d")
            for se_type in ("2plus3d", "3d", "none")
            for positions in (False, True)
            if not positions or se_type != "none"
        ],
    ),
)
def test_backbone_is_told_by_its_variables(
    nano, tmp_path, conv_type, se_type, positions
):
    backbone = dict(conv_type=conv_type, se_type=se_type)
    backbone |= dict(use_positional_encoding=positions)
    model = nano(backbone=backbone)
    prefix = tf.train.Checkpoint(backbone=model.backbone).save(tmp_path / "ckpt")
    found = identify(SavedVariables(prefix)).backbone
    assert {name: getattr(found, name) for name in backbone} == backbone
    assert found.model_id == "nano"


@pytest.mark.parametrize(
    "head",
    slow_but([HeadConfig(), TRANSFORMER], [HeadConfig(), MEAN, TRANSFORMER]),
    ids=lambda h: h.type,
)
def test_head_is_told_by_its_variables(nano, tmp_path, head):
    model = nano(head=head)
    # Its parts alone, for the whole would record its config.
    parts = {"backbone": model.backbone, "head": model.head}
    parts |= {"affine": model.affine} if head.embeds else {}
    prefix = tf.train.Checkpoint(**parts).save(tmp_path / "ckpt")
    assert SavedVariables(prefix).config is None
    found = identify(SavedVariables(prefix))
    assert found.num_classes == 5
    # Heads of attention share their variables' shapes.
    assert dataclasses.replace(found.head, num_heads=head.num_heads) == head


def test_network_of_another_depth_is_refused(nano, tmp_path):
    names = [f"layer_with_weights-{index}" for index in range(3)]
    layers = {name: tf.Module() for name in names}
    layers[names[0]]._stem = tf.Module()
    backbone = tf.train.Checkpoint(**layers)
    prefix = tf.train.Checkpoint(backbone=backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="backbone has 3 layers with weights, a0 17,"):
        identify(SavedVariables(prefix))


def _tampered(nano, folder):
    """Saves a model of which one kernel has another shape."""
    model = nano(fresh=True)
    stem = model.backbone.get_layer("stem")._stem._conv._conv
    stem.kernel = tf.Variable(tf.zeros((3, 3, 3, 9)))
    return tf.train.Checkpoint(backbone=model.backbone).save(folder / "ckpt")


@pytest.mark.slow
def test_network_of_another_shape_is_refused_with_a_table(nano, tmp_path):
    with pytest.raises(ValueError, match=r"shape differs +1 .*saved \[3, 3, 3, 9\]"):
        identify(SavedVariables(_tampered(nano, tmp_path)))
    with pytest.raises(
        ValueError, match="ckpt-1 is not a known model; its backbone is"
    ):
        inspect(tmp_path / "ckpt-1")


def _rows(path):
    return dict((line[:20].strip(), line[21:]) for line in inspect(path).splitlines())


@pytest.mark.slow
def test_report_on_a_recorded_model_tells_all(nano, tmp_path):
    model = nano(backbone={"gating_activation": "sigmoid"}, head=TRANSFORMER)
    tf.train.Checkpoint(model=model, step=tf.Variable(3)).save(tmp_path / "ckpt")
    rows = _rows(tmp_path)
    assert rows["model id"] == "nano"
    assert rows["kind"] == "stream"
    assert rows["gating_activation"] == "sigmoid"
    assert rows["head"] == "transformer, embed_dim 32, depth 2, mlp_dim 16, num_heads 4"
    assert rows["clip"] == "8 frames of 32 px at 5 a second, short_side"
    assert rows["variables"] == "backbone 95, affine 2, head 38"
    assert rows["also there"] == "save_counter, step"


def test_report_on_a_mean_head_tells_what_it_has(nano, tmp_path):
    tf.train.Checkpoint(model=nano(head=MEAN)).save(tmp_path / "ckpt")
    rows = _rows(tmp_path)
    assert rows["head"] == "mean, embed_dim 32"
    assert rows["variables"] == "backbone 95, affine 2, head 2"


@pytest.mark.slow
def test_report_on_a_backbone_says_what_is_not_recorded(nano, tmp_path):
    model = nano(backbone={"se_type": "3d"})
    tf.train.Checkpoint(backbone=model.backbone).save(tmp_path / "ckpt")
    rows = _rows(tmp_path)
    assert rows["se_type"] == "3d or 2d"
    assert rows["head"] == rows["classes"] == "none"
    assert rows["gating_activation"].startswith("not recorded: hard_sigmoid_keras in")
    assert rows["kind"] == "stream (not recorded: as in official models)"


@pytest.mark.parametrize("model_id", slow_but(["slowonly_nano"], OTHERS))
def test_report_on_another_family_has_what_there_is_of_it(nano, tmp_path, model_id):
    model = nano(backbone=BACKBONES[model_id])
    tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    assert identify(SavedVariables(str(tmp_path / "ckpt-1"))) == model.config
    rows = _rows(tmp_path)
    assert rows["model id"] == model_id
    assert rows["kind"] == ("stream" if model_id.startswith("mobilenet") else "base")
    assert rows["clip"] == "8 frames of 32 px at 5 a second, short_side"
    parameters = sum(math.prod(weight.shape) for weight in model.backbone.weights)
    assert rows["parameters"].startswith(f"backbone {parameters:,}, head ")
    assert rows.keys().isdisjoint({"conv_type", "gating_activation"})


@pytest.mark.parametrize("model_id", OTHERS)
def test_unrecorded_backbone_of_another_family_is_no_movinet(nano, tmp_path, model_id):
    backbone = nano(backbone=BACKBONES[model_id]).backbone
    tf.train.Checkpoint(backbone=backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="is not a MoViNet and records no") as info:
        inspect(tmp_path)
    assert "\n" not in str(info.value)


@pytest.mark.slow
def test_record_that_does_not_fit_is_refused(nano, tmp_path):
    model = nano(fresh=True)
    model.config = dataclasses.replace(model.config, num_classes=6)
    tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="does not have the variables of its own"):
        inspect(tmp_path)


def test_program_prints_the_report(nano, tmp_path, run_program):
    tf.train.Checkpoint(model=nano()).save(tmp_path / "ckpt")
    done = run_program(
        "scripts.inspect_checkpoint", str(tmp_path), str(tmp_path / "no")
    )
    assert (
        f"checkpoint           {tmp_path}\nform                 TensorFlow checkpoint\n"
        "model id             nano" in done.stdout
    )
    assert f"There is no checkpoint {tmp_path}/no" in done.stderr
