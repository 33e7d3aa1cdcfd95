"""Tests of writing weights for PyTorch, and of reading them back."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from torch_archives import write_snapshot, write_torch_file
from torch_states import PARAMS, random_state
from toy_backbones import BACKBONES

from grw_tf.models import HeadConfig, ModelConfig, RegularizationConfig, build_model
from grw_tf.models.presets import official_config, published_config
from grw_tf.models.regularization_config import RMSConfig
from grw_tf.weights.model_variables import assign
from grw_tf.weights.torch.exporting import export_torch_weights
from grw_tf.weights.torch.file import read_torch_file
from grw_tf.weights.torch.importing import import_torch_weights, read_torch_weights
from grw_tf.weights.torch.snapshot import CONFIG_RECORD
from grw_tf.weights.torch.writer import write_state_dict

TRANSFORMER = HeadConfig(
    type="transformer", embed_dim=32, depth=2, num_heads=4, mlp_dim=16
)
BASE = {"causal": False, "conv_type": "3d", "se_type": "3d"}
BASE |= {"activation": "swish", "gating_activation": "sigmoid"}
FORMS = {"stream": {}, "base": BASE}
OFFICIAL_AND_TRANSFORMER = {"official": HeadConfig(), "transformer": TRANSFORMER}
SHRINKING = RMSConfig(distribution="normal(0.5, 0.5)")


def _exported(model, folder):
    prefix = tf.train.Checkpoint(model=model).save(folder / "ckpt")
    return export_torch_weights(prefix, folder / "model.pt"), folder / "model.pt"


@pytest.mark.parametrize(
    "form, head",
    slow_but(
        [("stream", "transformer")],
        itertools.product(FORMS, OFFICIAL_AND_TRANSFORMER),
    ),
)
def test_model_comes_back_exactly(nano, tmp_path, form, head):
    backbone, head = FORMS[form], OFFICIAL_AND_TRANSFORMER[head]
    model = nano(backbone=backbone, head=head)
    _, path = _exported(model, tmp_path)
    import_torch_weights(path, tmp_path / "back")
    config = read_torch_weights(path).config
    assert config == model.config
    back = build_model(config)
    tf.train.Checkpoint(model=back).restore(
        str(tmp_path / "back" / "ckpt-1")
    ).assert_existing_objects_matched()
    for mine, theirs in zip(back.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=mine.name)


@pytest.mark.parametrize("causal", slow_but([False], [True, False]))
def test_published_tensors_come_back_exactly(tmp_path, causal):
    state = random_state(published_config("nano", causal))
    write_snapshot(tmp_path / "a.pt", state, state, PARAMS, backbone="nano")
    import_torch_weights(tmp_path / "a.pt", tmp_path / "out")
    export_torch_weights(tmp_path / "out", tmp_path / "b.pt")
    found = read_torch_file(tmp_path / "b.pt")
    assert found.keys() == state.keys()
    for key, value in found.items():
        wanted = 0 if key.endswith("num_batches_tracked") else state[key]
        np.testing.assert_array_equal(value, wanted, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [True, False])
def test_movinet_pytorch_comes_into_the_official_head(tmp_path, causal):
    config = dataclasses.replace(official_config("nano", causal), num_classes=7)
    state = random_state(config)
    kind = "conv2d" if causal else "conv3d"
    for end in ("weight", "bias"):
        assert f"classifier.0.conv_1.{kind}.{end}" in state
        assert f"classifier.3.conv_1.{kind}.{end}" in state
    write_torch_file(tmp_path / "plain.pt", state)
    imported = import_torch_weights(tmp_path / "plain.pt", tmp_path / "out")
    assert imported.config == config
    model = build_model(config)
    assign(model, imported.values)
    hidden = state[f"classifier.0.conv_1.{kind}.weight"]
    kernel = model.head.get_weights()[0]
    np.testing.assert_array_equal(
        kernel.reshape(kernel.shape[-2:]), hidden.reshape(hidden.shape[:2]).T
    )


@pytest.mark.slow
def test_converted_convolutions_are_written_as_2plus1d(nano, clip, tmp_path):
    model = nano(backbone={"conv_type": "3d_2plus1d"}, head=TRANSFORMER)
    written, path = _exported(model, tmp_path)
    assert written.backbone.conv_type == "2plus1d"
    imported = read_torch_weights(path)
    back = build_model(imported.config)
    assign(back, imported.values)
    np.testing.assert_allclose(back(clip), model(clip), rtol=1e-4, atol=1e-4)


def test_plain_state_dict_of_a_published_model_needs_its_heads(tmp_path):
    path = tmp_path / "plain.pt"
    write_torch_file(path, random_state(published_config("nano", True)))
    with pytest.raises(ValueError, match="how many attention heads .* --num_heads"):
        read_torch_weights(path)
    assert read_torch_weights(path, num_heads=2).config.head.num_heads == 2


CANNOT_RUN = {
    "causal head": (
        {"head": HeadConfig(type="causal_transformer")},
        "has a causal_transformer",
    ),
    "mean head": (
        {"head": HeadConfig(type="mean")},
        "has a mean head, .* only official and",
    ),
    "head": ({"head": HeadConfig(activation="relu")}, "has head.activation=relu"),
    "gate": (
        {"backbone": {"gating_activation": "hard_sigmoid_relu6"}},
        "=hard_sigmoid_relu6, PyTorch's code has hard_sigmoid_keras",
    ),
    "positions": (
        {"backbone": {"use_positional_encoding": True}},
        "use_positional_encoding=True, PyTorch's code has False",
    ),
    "activation": (
        {"backbone": {"activation": "relu"}},
        "activation=relu, PyTorch's code has hard_swish",
    ),
    "rms": (
        {"regularization": RegularizationConfig(("rms",), SHRINKING)},
        r"rms.distribution=normal\(0.5, 0.5\), whose mean is not 1",
    ),
    "family": (
        {"backbone": BACKBONES["slowonly_nano"]},
        "ckpt-1: its backbone is slowonly_nano, and PyTorch's code has only",
    ),
}
"""Fields of models that PyTorch's code lacks, and what is said of them."""


@pytest.mark.parametrize("case", slow_but(["mean head"], CANNOT_RUN))
def test_what_pytorchs_code_cannot_run_is_refused(nano, tmp_path, case):
    fields, message = CANNOT_RUN[case]
    with pytest.raises(ValueError, match=message):
        _exported(nano(**fields), tmp_path)
    assert not (tmp_path / "model.pt").exists()


def test_backbone_of_another_family_is_refused(nano, tmp_path):
    backbone = nano(backbone=BACKBONES["slowonly_nano"]).backbone
    prefix = tf.train.Checkpoint(backbone=backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="ckpt-1 is not a MoViNet and records no"):
        export_torch_weights(prefix, tmp_path / "model.pt", "sigmoid")


def test_record_of_another_family_is_refused_on_import(nano, tmp_path):
    config = nano(backbone=BACKBONES["slowonly_nano"]).config
    path = tmp_path / "model.pt"
    write_state_dict(path, {"x": np.zeros(1, "f4")}, {CONFIG_RECORD: config.to_json()})
    with pytest.raises(
        ValueError, match="model.pt: its backbone is slowonly_nano, and Py"
    ):
        import_torch_weights(path, tmp_path / "out")


def test_record_of_a_mean_head_is_refused_on_import(tmp_path):
    config = ModelConfig(head=HeadConfig(type="mean"))
    path = tmp_path / "model.pt"
    write_state_dict(path, {"x": np.zeros(1, "f4")}, {CONFIG_RECORD: config.to_json()})
    with pytest.raises(ValueError, match="model.pt: it has a mean head, and PyTorch's"):
        import_torch_weights(path, tmp_path / "out")


def test_backbone_alone_is_no_complete_model(nano, tmp_path):
    prefix = tf.train.Checkpoint(backbone=nano().backbone).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="is not a complete model:\n.*\n  missing +4"):
        export_torch_weights(prefix, tmp_path / "model.pt", "hard_sigmoid_keras")


def test_gate_that_is_not_recorded_is_asked_for(shared, tmp_path):
    archive = shared / "data" / "real_a0_stream" / "movinet_a0_stream_trained.tar.gz"
    path = tmp_path / "model.pt"
    with pytest.raises(ValueError, match="no gating activation .* --gating_activation"):
        export_torch_weights(archive, path)
    with pytest.raises(ValueError, match="gating_activation=hard_sigmoid_relu6, PyTor"):
        export_torch_weights(archive, path, "hard_sigmoid_relu6")
    written = export_torch_weights(archive, path, "hard_sigmoid_keras")
    assert written.num_classes == 7


def test_pytorch_loads_what_was_written(nano, tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    _, path = _exported(nano(head=TRANSFORMER), tmp_path)
    state = torch.load(path, weights_only=True)
    assert state["attention.linear_head.weight"].shape == (5, 32)
