"""Tests of importing PyTorch weights of 3-D ResNets, against a PyTorch rendering."""

import json

import numpy as np
import pytest
import torch_resnets
from everyday import slow_but
from torch_archives import write_torch_file
from torch_resnets import FULL, NANO, digest, frames_of, state_of

from grw_tf.models import preset
from grw_tf.weights.inspection import inspect
from grw_tf.weights.model_variables import model_layout, with_backbone
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
SLOWFAST, MMACTION2 = NANO.keys() & EVERY_DAY, "mmaction2"


def _state(model_id, spelling):
    return state_of(RECORDED["nano"][f"{model_id} {spelling}"]["shapes"])


def _write(path, model_id="slowonly_nano_bottleneck", spelling="pytorchvideo", **changes):
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
