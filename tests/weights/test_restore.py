"""Tests of starting a model from a checkpoint."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from compared_weights import assert_equal_weights, zeroed
from everyday import slow_but
from tensorflow.core.protobuf import trackable_object_graph_pb2

from grw_tf.models import BackboneConfig, HeadConfig, SmoothingConfig, preset
from grw_tf.weights.official import OFFICIAL
from grw_tf.weights.restore import restore

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
STEM = (
    "backbone/layer_with_weights-0/_stem/_conv/_conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"
)
TRANSFORMER = HeadConfig(type="transformer", num_heads=2)
CAUSAL = HeadConfig(type="causal_transformer", num_heads=2)
MEAN = HeadConfig(type="mean")
HEADS = [HeadConfig(), MEAN, TRANSFORMER, CAUSAL]


def _type(head):
    return head.type


def _save(model, folder, root="model"):
    items = {"model": model} if root == "model" else {"backbone": model.backbone}
    return tf.train.Checkpoint(**items).save(folder / "ckpt")


@pytest.mark.parametrize("root", ["model", "backbone"])
@pytest.mark.parametrize("head", slow_but([MEAN], HEADS), ids=_type)
def test_backbone_comes_from_either_root_into_any_head(nano, tmp_path, root, head):
    path = _save(nano(), tmp_path, root)
    model = zeroed(nano(scratch=True, head=head, num_classes=3))
    restored = restore(model, path)
    assert_equal_weights(model.backbone, nano().backbone)
    assert sum(n.startswith("backbone/") for n in restored.names) == len(
        model.backbone.weights
    )


@pytest.mark.slow
def test_backbone_comes_from_saved_weights_of_a_keras_model(nano, tmp_path):
    nano().save_weights(str(tmp_path / "weights"))
    model = zeroed(nano(scratch=True))
    restore(model, tmp_path / "weights")
    assert_equal_weights(model, nano())


@pytest.mark.slow
@pytest.mark.parametrize("head", slow_but([MEAN], HEADS), ids=_type)
def test_head_comes_too_if_it_agrees(nano, tmp_path, head):
    saved = nano(head=head)
    model = zeroed(nano(scratch=True, head=head))
    restored = restore(model, _save(saved, tmp_path))
    assert_equal_weights(model, saved)
    assert not restored.own
    assert "its classifier of 5 classes too" in restored.message


@pytest.mark.parametrize("head", slow_but([TRANSFORMER], HEADS), ids=_type)
def test_only_the_classifier_starts_anew_for_other_classes(
    nano, tmp_path, head, caplog
):
    saved = nano(head=head)
    model = zeroed(nano(scratch=True, head=head, num_classes=3))
    restored = restore(model, _save(saved, tmp_path))
    changed = len(model.weights) - len(restored.own)
    assert changed == len(restored.names)
    assert all(name.startswith("head/_classifier/") for name in restored.own)
    assert len(restored.own) == 2
    for weight, other in zip(model.weights, saved.weights, strict=True):
        if weight.shape == other.shape:
            np.testing.assert_array_equal(weight, other, err_msg=weight.name)
        else:
            assert not np.any(weight)
    assert "classifier: the model keeps its own of 3 classes" in caplog.text


ANOTHER_HEAD = {
    "kind": (HeadConfig(), TRANSFORMER),
    "kind back": (TRANSFORMER, HeadConfig()),
    "causal": (TRANSFORMER, CAUSAL),
    "mean": (TRANSFORMER, MEAN),
    "mean's width": (MEAN, HeadConfig(type="mean", embed_dim=16)),
    "depth": (TRANSFORMER, HeadConfig(type="transformer", num_heads=2, depth=2)),
    "heads": (TRANSFORMER, HeadConfig(type="transformer", num_heads=4)),
    "width": (TRANSFORMER, HeadConfig(type="transformer", num_heads=2, embed_dim=16)),
    "activation": (HeadConfig(), HeadConfig(activation="relu")),
}
"""Heads that were saved, and those of the models that they do not fit, by how."""


@pytest.mark.slow
@pytest.mark.parametrize("how", slow_but(["kind", "heads"], ANOTHER_HEAD))
def test_head_of_another_kind_or_size_starts_anew(nano, tmp_path, how, caplog):
    saved_head, head = ANOTHER_HEAD[how]
    model = zeroed(nano(scratch=True, head=head))
    restored = restore(model, _save(nano(head=saved_head), tmp_path))
    assert_equal_weights(model.backbone, nano(head=saved_head).backbone)
    assert not any(np.any(weight) for weight in model.head.weights)
    assert all(name.startswith("backbone/") for name in restored.names)
    assert f"the model keeps its own {head.type} head of 5 classes" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "head, unused",
    [
        pytest.param(HeadConfig(), {"num_heads": 4}, marks=pytest.mark.slow),
        (MEAN, {"num_heads": 4, "activation": "relu", "depth": 2}),
        pytest.param(TRANSFORMER, {"activation": "relu"}, marks=pytest.mark.slow),
    ],
    ids=["official", "mean", "transformer"],
)
def test_fields_of_other_heads_do_not_matter(nano, tmp_path, head, unused):
    saved = nano(head=head)
    path = _save(saved, tmp_path)
    model = zeroed(nano(scratch=True, head=dataclasses.replace(head, **unused)))
    assert not restore(model, path).own
    zeroed(model)
    tf.train.Checkpoint(model=model).restore(path).assert_existing_objects_matched()
    assert_equal_weights(model, saved)


@pytest.mark.slow
def test_smoothing_keeps_its_own_state(nano, tmp_path):
    smoothing = SmoothingConfig(layers=("final", "block0_layer0"))
    saved = nano(head=TRANSFORMER, smoothing=smoothing)
    path = _save(saved, tmp_path)
    model = zeroed(nano(scratch=True, head=TRANSFORMER, smoothing=smoothing))
    restore(model, path)
    own = [w for layer in model.smoothing.values() for w in layer.weights]
    assert own and not any(np.any(weight) for weight in own)
    assert_equal_weights(model.head, saved.head)


@pytest.mark.parametrize(
    "name, value",
    slow_but(
        [("gating_activation", "hard_sigmoid_relu6")],
        [("activation", "swish"), ("gating_activation", "hard_sigmoid_relu6")],
    ),
)
def test_recorded_backbone_of_another_function_is_refused(nano, tmp_path, name, value):
    path = _save(nano(), tmp_path)
    model = zeroed(nano(scratch=True, backbone={name: value}))
    with pytest.raises(ValueError, match=rf"backbone\.{name}=.* built with {value}"):
        restore(model, path)
    assert not any(np.any(weight) for weight in model.weights)


@pytest.mark.parametrize("root", ["model", "backbone"])
@pytest.mark.parametrize(
    "backbone, rows",
    [
        ({"se_type": "none"}, ["unused +12 "]),
        (
            {"use_positional_encoding": True},
            ["missing +3 .*block0_layer0/_attention/_pos"],
        ),
        (
            {"se_type": "3d"},
            [r"shape differs +9 .*saved \[1, 1, 48, 16\], model \[1, 1,"],
        ),
        ({"conv_type": "3d"}, ["missing", "unused"]),
        ({"model_id": "a0"}, ["missing", "unused", "shape differs"]),
    ],
    ids=["unused", "missing", "shapes", "base", "size"],
)
def test_another_backbone_is_refused_with_a_table(nano, tmp_path, backbone, rows, root):
    path = _save(nano(), tmp_path, root)
    changed = BackboneConfig(**vars(nano().config.backbone) | backbone)
    # A model of nothing but its config: a refused checkpoint changes no variable.
    model = types.SimpleNamespace(config=preset("a0_stream", backbone=changed))
    with pytest.raises(ValueError, match="does not hold this model's backbone") as info:
        restore(model, path)
    for row in ["matched", *rows]:
        assert info.match(rf"\n  {row}")
    assert info.match("It is nano, conv_type 2plus1d, se_type 2plus3d, without posit")


def test_refused_checkpoint_leaves_the_model_as_it_was(nano, tmp_path):
    path = _save(nano(), tmp_path)
    model = nano(scratch=True, backbone={"se_type": "3d"})
    before = model.get_weights()
    with pytest.raises(ValueError, match="does not hold"):
        restore(model, path)
    for weight, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize(
    "saved_type, conv_type, root",
    slow_but(
        [],
        [
            (*types, root)
            for types in (("3d_2plus1d", "2plus1d"), ("2plus1d", "3d_2plus1d"))
            for root in ("model", "backbone")
        ],
    ),
)
def test_2plus1d_weights_convert_as_by_the_model_garden(
    nano, clip, tmp_path, saved_type, conv_type, root
):
    saved = nano(backbone={"conv_type": saved_type})
    model = zeroed(nano(scratch=True, backbone={"conv_type": conv_type}))
    restore(model, _save(saved, tmp_path, root))
    if root == "model":
        logits = saved(clip)
        error = np.abs(model(clip) - logits).max() / np.abs(logits).max()
        assert error < 1e-4
    deep, flat = (saved, model) if saved_type == "3d_2plus1d" else (model, saved)
    for wide, narrow in zip(
        deep.backbone.get_weights(), flat.backbone.get_weights(), strict=True
    ):
        # What official.projects.movinet.tools.convert_3d_2plus1d does.
        if wide.shape != narrow.shape:
            wide = wide[0] if wide.shape[0] == 1 else wide[:, 0]
            if wide.shape[-1] != narrow.shape[-1]:
                wide = np.transpose(wide, (0, 1, 3, 2))
        np.testing.assert_array_equal(wide, narrow)


def test_unknown_gate_is_told(nano, tmp_path, caplog):
    caplog.set_level("INFO")
    restore(nano(scratch=True), _save(nano(), tmp_path, root="backbone"))
    assert "the gating activation is not recorded (hard_sigmoid_k" in caplog.text


def test_official_checkpoint_by_name_is_known_to_have_its_gate(
    nano, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    _save(nano(), tmp_path / "movinet_a0_stream", root="backbone")
    published = OFFICIAL["movinet_a0_stream"]
    config = dataclasses.replace(published.config, backbone=nano().config.backbone)
    monkeypatch.setitem(
        OFFICIAL, published.name, dataclasses.replace(published, config=config)
    )
    assert "not recorded" not in restore(nano(scratch=True), "a0_stream").message
    model = nano(scratch=True, backbone={"gating_activation": "hard_sigmoid_relu6"})
    with pytest.raises(ValueError, match="gating_activation=hard_sigmoid_keras, the"):
        restore(model, "a0_stream")


def test_backbone_alone_may_be_the_model(nano, tmp_path):
    path = tf.train.Checkpoint(model=nano().backbone).save(tmp_path / "ckpt")
    nano().backbone.save_weights(str(tmp_path / "weights"))
    for prefix in (path, tmp_path / "weights"):
        model = zeroed(nano(scratch=True))
        restore(model, prefix)
        assert_equal_weights(model.backbone, nano().backbone)


def test_prefix_comes_before_a_folder_of_its_name(nano, tmp_path):
    nano().save_weights(str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    _save(zeroed(nano(scratch=True)), tmp_path / "run")
    model = nano(scratch=True)
    restore(model, tmp_path / "run")
    assert_equal_weights(model, nano())


@pytest.mark.slow
def test_config_is_that_of_the_model_beside_others(nano, tmp_path):
    teacher = nano(backbone={"gating_activation": "hard_sigmoid_relu6"})
    path = tf.train.Checkpoint(a_teacher=teacher, model=nano()).save(tmp_path / "ckpt")
    restore(nano(scratch=True), path)


def test_damaged_checkpoint_is_refused(nano, tmp_path):
    path = _save(nano(), tmp_path)
    data = tmp_path / "ckpt-1.data-00000-of-00001"
    data.write_bytes(bytes(1000) + data.read_bytes()[1000:])
    with pytest.raises(ValueError, match="is damaged: .* cannot be read"):
        restore(nano(scratch=True), path)


def _crafted(nano, folder, change):
    """Saves a backbone's graph of objects, changed, and variables of zeros."""
    path = tf.train.Checkpoint(backbone=nano().backbone).save(folder / "whole")
    reader = tf.train.load_checkpoint(path)
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(GRAPH))
    tensors = {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }
    graph = change(graph, tensors) or graph
    tensors[GRAPH] = graph.SerializeToString()
    names = list(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "crafted"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(tensors[name]) for name in names],
    )
    return folder / "crafted"


def _without_nodes(graph, tensors):
    return type(graph)()


def _with_child_outside(graph, tensors):
    graph.nodes[0].children[0].node_id = len(graph.nodes)


def _without_a_tensor(graph, tensors):
    del tensors[STEM]


def _with_text(graph, tensors):
    tensors[STEM] = "text"


def _with_config_of_numbers(graph, tensors):
    tensors["config"] = 3.0
    graph.nodes[0].attributes.add(name="model_config", checkpoint_key="config")


@pytest.mark.parametrize(
    "change, message",
    [
        (_without_nodes, "its object graph is not sound"),
        (_with_child_outside, "its object graph is not sound"),
        (_without_a_tensor, "its object graph is not sound"),
        (_with_text, r"shape differs +1|something else than floats"),
        (_with_config_of_numbers, "records no valid config"),
    ],
)
def test_crafted_checkpoint_is_refused(nano, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        restore(nano(), _crafted(nano, tmp_path, change))


def test_weights_that_are_not_finite_are_refused(nano, tmp_path):
    model = nano(scratch=True)
    model.backbone.weights[0].assign(np.nan * model.backbone.weights[0])
    with pytest.raises(ValueError, match="values that are not finite in .*_stem"):
        restore(nano(), _save(model, tmp_path))


def test_checkpoint_without_a_backbone_is_refused(nano, tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="nor a backbone, only save_counter, x"):
        restore(nano(), path)


def test_file_that_is_no_checkpoint_is_refused(nano, tmp_path):
    for name in ("ckpt.index", "ckpt.data-00000-of-00001"):
        (tmp_path / name).write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="ckpt is not a readable checkpoint"):
        restore(nano(), tmp_path / "ckpt")
