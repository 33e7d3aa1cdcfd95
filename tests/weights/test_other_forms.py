"""Tests that weights restore from SavedModels and PyTorch files as they are."""

import shutil
import tarfile

import pytest
import tensorflow as tf
from compared_weights import assert_equal_weights, zeroed
from official_saved_models import write_saved_model
from torch_archives import write_snapshot
from torch_states import PARAMS, random_state
from toy_backbones import BASE

from grw_tf.models import ModelConfig, build_model, preset
from grw_tf.models.presets import published_config
from grw_tf.weights.inspection import inspect
from grw_tf.weights.restore import load_model, restore
from grw_tf.weights.torch.exporting import export_torch_weights

BACKBONES = {"stream": {}, "base": BASE}


@pytest.fixture(scope="module")
def saved_model(nano, run_code, tmp_path_factory):
    """A function that writes a SavedModel of a `nano`'s weights, once a kind."""
    folders = {}

    def write(kind, traces="without"):
        if (kind, traces) not in folders:
            folder = tmp_path_factory.mktemp("saved_model")
            model = nano(backbone=BACKBONES[kind])
            checkpoint = tf.train.Checkpoint(model=model).save(str(folder / "ckpt"))
            folders[kind, traces] = write_saved_model(
                run_code,
                folder / "saved",
                kind,
                traces,
                model_id="nano",
                checkpoint=checkpoint,
            )
        return folders[kind, traces]

    return write


@pytest.mark.parametrize(
    "kind, traces",
    [
        *(
            pytest.param(kind, traces, marks=pytest.mark.slow)
            for kind, traces in (
                ("stream", "without"),
                ("stream", "with"),
                ("base", "with"),
                ("base", "without"),
            )
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar.gz"])
def test_all_weights_come_from_a_saved_model(
    nano, saved_model, tmp_path, kind, traces, packed
):
    given = saved_model(kind, traces)
    if packed:
        with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
            # Kaggle's archives have no folder around.
            tar.add(given, arcname=".")
        given = tmp_path / "model.tar.gz"
    model = zeroed(nano(scratch=True, backbone=BACKBONES[kind]))
    restored = restore(model, given)
    assert not restored.own
    assert_equal_weights(model, nano(backbone=BACKBONES[kind]))


@pytest.mark.slow
def test_saved_model_is_named_as_one(saved_model):
    text = inspect(saved_model("stream"))
    assert "Keras SavedModel" in text
    assert "nano" in text


@pytest.mark.slow
def test_saved_model_of_another_network_is_refused(nano, saved_model):
    model = nano(scratch=True, backbone={"se_type": "3d"})
    with pytest.raises(ValueError, match="does not hold this model's backbone"):
        restore(model, saved_model("stream"))


@pytest.mark.slow
def test_saved_model_without_variables_is_refused(nano, saved_model, tmp_path):
    shutil.copy(saved_model("stream") / "saved_model.pb", tmp_path)
    with pytest.raises(ValueError, match="is a SavedModel without its variables"):
        restore(nano(scratch=True), tmp_path)


@pytest.fixture(scope="module")
def grw_file(tmp_path_factory):
    """A file as the published GRW models', and its config."""
    config = published_config("nano", True)
    path = tmp_path_factory.mktemp("torch") / "a0s_grw.pt"
    states = (random_state(config, seed) for seed in (0, 1))
    write_snapshot(path, *states, PARAMS, backbone="nano")
    return path


def test_pytorch_file_is_a_checkpoint_whatever_its_name(grw_file, tmp_path):
    plain = tmp_path / "modelA0_stream_statedict_v3"
    shutil.copy(grw_file, plain)
    model = load_model(plain)
    assert model.config.num_classes == PARAMS["num_classes"]
    assert "PyTorch file" in inspect(plain)


@pytest.mark.slow
def test_backbone_comes_from_a_pytorch_file_into_another_head(nano, tmp_path):
    saved = nano()
    path = tmp_path / "saved.pt"
    checkpoint = tf.train.Checkpoint(model=saved).save(str(tmp_path / "ckpt"))
    export_torch_weights(checkpoint, path)
    model = zeroed(nano(scratch=True, num_classes=3))
    restored = restore(model, path)
    assert len(restored.own) == 2
    assert_equal_weights(model.backbone, saved.backbone)


def test_pytorch_file_with_another_gate_is_refused(nano, grw_file):
    model = nano(scratch=True, backbone={"gating_activation": "hard_sigmoid_relu6"})
    with pytest.raises(ValueError, match="gating_activation"):
        restore(model, grw_file)


def test_name_of_a_grw_model_is_a_checkpoint(grw_file, tmp_path, monkeypatch):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    shutil.copy(grw_file, tmp_path / "a0s_grw.pt")
    assert "transformer" in inspect("a0s_grw")


def test_keras_weights_file_is_named_as_one(nano, tmp_path):
    nano().save_weights(str(tmp_path / "weights.h5"))
    text = inspect(tmp_path / "weights.h5")
    assert "Keras weights file (HDF5)" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a0_stream"])
def test_official_file_of_the_pytorch_port_restores_by_name(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    config = preset(name)
    model = build_model(config)
    checkpoint = tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt"))
    export_torch_weights(checkpoint, tmp_path / f"movinet_{name}.pt")
    assert isinstance(config, ModelConfig)
    restored = restore(zeroed(build_model(config)), f"movinet_{name}")
    assert not restored.own
