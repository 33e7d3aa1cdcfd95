"""Tests of importing PyTorch weights of 3-D ResNets, against a PyTorch rendering."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
import torch_resnets
from everyday import slow_but
from torch_archives import write_torch_file
from torch_resnets import FULL, NANO, digest, frames_of, state_of

from grw_tf.models import BackboneConfig, preset
from grw_tf.weights.inspection import inspect
from grw_tf.weights.model_variables import (
    find_variable,
    model_layout,
    with_backbone,
)
from grw_tf.weights.restore import load_model, restore
from grw_tf.weights.torch.importing import import_torch_weights, read_torch_weights
from grw_tf.weights.torch.names import counters
from grw_tf.weights.torch.resnet_names import SPELLINGS, resnet_tensors

RECORDED = json.loads(torch_resnets.FILE.read_text())
SPELLED = dict(zip(("pytorchvideo", "slowfast", "mmaction2"), SPELLINGS, strict=True))
EVERY_DAY = [
    ("slowfast_nano", "pytorchvideo"),
    ("slowfast_nano", "mmaction2"),
    ("csn_nano", "mmaction2"),
]


def _state(model_id, spelling):
    return state_of(RECORDED["nano"][f"{model_id} {spelling}"]["shapes"])


def _write(
    path, model_id="slowonly_nano_bottleneck", spelling="pytorchvideo", **changes
):
    """Writes a file of a network's form, with changed tensors; None leaves one out."""
    state = _state(model_id, spelling) | changes
    state = {key: value for key, value in state.items() if value is not None}
    content = {"model_state": state, "epoch": 196, "cfg": "TRAIN:\n"}
    if spelling == "mmaction2":
        content = {"meta": {"epoch": 256}, "state_dict": state}
    write_torch_file(path, content)
    return path


@pytest.mark.parametrize("model_id, spelling", slow_but(EVERY_DAY, list(NANO)))
def test_logits_equal_those_of_pytorch(tmp_path, model_id, spelling):
    path = _write(tmp_path / "model.pth", model_id, spelling)
    frames = frames_of(model_id)
    _, count, size, _, _ = frames.shape
    model = load_model(path, frames=count, size=size)
    assert model.config.backbone.model_id == model_id
    wanted = RECORDED["nano"][f"{model_id} {spelling}"]["logits"]
    found = model(frames.astype("float32") / 255)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_record_is_what_pytorch_gives():
    pytest.importorskip("torch", reason="needs PyTorch")
    found = json.loads(json.dumps(torch_resnets.recorded()))
    assert found["full"] == RECORDED["full"]
    for name, small in found["nano"].items():
        assert small["shapes"] == RECORDED["nano"][name]["shapes"]
        wanted = RECORDED["nano"][name]["logits"]
        np.testing.assert_allclose(small["logits"], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "model_id, spelling",
    slow_but([("slowfast_50_8x8", "pytorchvideo")], list(FULL)),
)
def test_every_variable_of_a_full_network_has_its_published_tensor(model_id, spelling):
    found = SPELLED[spelling]
    config = with_backbone(preset(model_id), implementation=found.implementation)
    tensors = resnet_tensors(config, found)
    names = [name for tensor in tensors.values() for name in tensor.names]
    assert sorted(names) == sorted(model_layout(config))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    shapes |= {key: () for key in counters(shapes)}
    assert digest(shapes) == RECORDED["full"][f"{model_id} {spelling}"]


@pytest.fixture(scope="module")
def slowonly(nano):
    """A function that returns a small SlowOnly of an implementation, for 3 classes."""

    def build(implementation="pytorchvideo", model_id="slowonly_nano_bottleneck"):
        backbone = vars(
            BackboneConfig.of_family(model_id, implementation=implementation)
        )
        return nano(scratch=True, backbone=backbone, num_classes=3)

    return build


def test_a_training_starts_from_them_with_its_own_classifier(slowonly, tmp_path):
    model, path = slowonly(), _write(tmp_path / "SLOW_8x8_R50.pyth")
    restored = restore(model, path)
    assert sorted(restored.own) == ["head/_classifier/bias", "head/_classifier/kernel"]
    stem = _state("slowonly_nano_bottleneck", "pytorchvideo")["blocks.0.conv.weight"]
    found = find_variable(model, "backbone/layer_with_weights-0/kernel")
    np.testing.assert_array_equal(found, stem.transpose(2, 3, 4, 1, 0))


@pytest.mark.parametrize(
    "built, message",
    [
        (
            ("tensorflow",),
            "holds slowonly_nano_bottleneck of pytorchvideo, and the model's backbone"
            " is slowonly_nano_bottleneck: set"
            " task.model.backbone.implementation=pytorchvideo, or give",
        ),
        (
            ("mmaction2", "slowonly_nano"),
            "is slowonly_nano of mmaction2: set"
            " task.model.backbone.model_id=slowonly_nano_bottleneck,"
            " task.model.backbone.implementation=pytorchvideo, or give",
        ),
    ],
)
def test_another_network_is_refused_in_one_line(slowonly, tmp_path, built, message):
    path = _write(tmp_path / "model.pyth")
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        restore(slowonly(*built), path)
    assert "\n" not in str(error.value)


def test_lateral_kernels_tell_networks_apart(tmp_path):
    # As of 4x16 and 8x8, whose other tensors have equal shapes.
    key = "blocks.0.multipathway_fusion.conv_fast_to_slow.weight"
    wide = {key: np.zeros((4, 2, 7, 1, 1), "f4")}
    path = _write(tmp_path / "m.pyth", "slowfast_nano", "pytorchvideo", **wide)
    with pytest.raises(
        ValueError,
        match=rf"nearest is slowfast_nano of pytorchvideo: .*shape differs 1 {key}"
        r" \(saved \[4, 2, 7, 1, 1\], model \[4, 2, 5, 1, 1\]\)",
    ):
        read_torch_weights(path)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"blocks.5.proj.bias": None},
            "missing 1 blocks.5.proj.bias; unused 0; shape differs 1 blocks.5.proj.we",
        ),
        (
            {"blocks.1.res_blocks.1.branch2.conv_a.weight": np.zeros((8, 32, 1, 1, 1))},
            "missing 0; unused 1 'blocks.1.res_blocks.1.branch2.conv_a.weight'",
        ),
    ],
)
def test_missing_and_foreign_tensors_are_named_in_one_line(tmp_path, changes, message):
    path = _write(tmp_path / "model.pyth", **changes)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_torch_weights(path)
    assert f"{path}: it holds no known 3-D ResNet; nearest is slow" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spelling", ["pytorchvideo", "mmaction2"])
@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_names_of_wrappers_are_stripped(tmp_path, spelling, prefix):
    state = _state("slowonly_nano_bottleneck", spelling)
    bare = {key: value for key, value in state.items() if "num_batches" not in key}
    write_torch_file(
        tmp_path / "model.pth",
        {"state_dict": {f"{prefix}{key}": value for key, value in bare.items()}},
    )
    imported = read_torch_weights(tmp_path / "model.pth")
    assert imported.tensors == len(bare)
    assert "slowonly_nano_bottleneck of" in imported.text()
    assert "5 classes" in imported.text()


def test_they_become_a_checkpoint_with_their_conventions(tmp_path):
    path = _write(tmp_path / "model.pth", "csn_nano", "mmaction2")
    imported = import_torch_weights(path, tmp_path / "out")
    assert imported.config.backbone.implementation == "mmaction2"
    assert imported.config.frames == 32
    assert len(imported.left_out) == 21
    assert load_model(tmp_path / "out").config == imported.config
    assert "csn_nano" in inspect(path)


def test_report_says_that_an_implementation_is_not_recorded(slowonly, tmp_path):
    for name in ("tensorflow", "pytorchvideo"):
        model = slowonly(name)
        # As the Model Garden's: without a config.
        plain = tf.train.Checkpoint(backbone=model.backbone)
        prefix = tf.train.Checkpoint(model=plain).save(tmp_path / name)
        message = restore(model, prefix).message
        remark = "is not recorded; the model's is pytorchvideo" in message
        assert remark == (name == "pytorchvideo")


def test_checkpoint_of_another_implementation_is_refused(slowonly, tmp_path):
    prefix = tf.train.Checkpoint(model=slowonly("mmaction2")).save(tmp_path / "ckpt")
    with pytest.raises(ValueError, match="set task.model.backbone.implementation=mma"):
        restore(slowonly("tensorflow"), prefix)
