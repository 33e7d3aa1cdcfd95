"""Tests that a SavedModel gives the model's numbers to those who have TensorFlow."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from toy_heads import HEADS

from grw_tf.export import saved_model
from grw_tf.export.saved_model import write_saved_model
from grw_tf.models import ModelConfig

CLASSES = ["a", "b", "c", "d", "e"]
BASE = {"causal": False, "conv_type": "3d", "se_type": "3d"}

# Run in a folder from which grw_tf cannot be imported.
SERVER = """
import importlib.util, sys
import numpy as np
import tensorflow as tf

assert importlib.util.find_spec("grw_tf") is None
loaded = tf.saved_model.load("model").signatures
clip = np.load("clip.npy")
results = {"clip": loaded["serving_default"](image=clip)}
if "step" in loaded:
    states = loaded["init_states"](batch_size=tf.constant(len(clip)))
    for frame in np.split(clip, clip.shape[1], axis=1):
        outputs = loaded["step"](image=frame, **states)
        states = {name: outputs[name] for name in states}
    if "classify" in loaded:
        wanted = loaded["classify"].structured_input_signature[1]
        outputs = loaded["classify"](**{name: states[name] for name in wanted})
    results["stream"] = outputs
np.savez(
    "results.npz",
    **{
        f"{view}_{name}": outputs[name]
        for view, outputs in results.items()
        for name in ("logits", "probabilities")
    },
)
"""


@pytest.fixture(scope="module")
def exported(nano, tmp_path_factory):
    """A function that exports a model, once, and returns the folder and the model."""
    done = {}

    def export(head="official", **backbone):
        key = (head, *backbone.items())
        if key not in done:
            model = nano(head=HEADS[head], backbone=backbone)
            path = tmp_path_factory.mktemp("saved") / "model"
            write_saved_model(path, model, CLASSES)
            done[key] = path, model
        return done[key]

    return export


def _serve(path, clip):
    """Returns what a process without this project makes of clips."""
    folder = path.parent
    np.save(folder / "clip.npy", clip)
    packages = [p for p in sys.path if p.endswith("site-packages")]
    # Isolated, for the environment may have this project installed in place.
    program = f"import sys; sys.path += {packages}\n{SERVER}"
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        cwd=folder,
        check=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return np.load(folder / "results.npz")


@pytest.mark.parametrize(
    "head, backbone",
    [("transformer", {}), ("official", BASE)],
    ids=["stream", "base"],
)
def test_server_without_this_project_gives_the_models_logits(
    exported, clip, head, backbone
):
    path, model = exported(head, **backbone)
    results = _serve(path, clip)
    expected = model(clip).numpy()
    scale = np.abs(expected).max()
    views = ["clip", "stream"] if model.config.backbone.causal else ["clip"]
    assert len(results) == 2 * len(views)
    for view in views:
        np.testing.assert_allclose(
            results[f"{view}_logits"], expected, rtol=0, atol=1e-5 * scale
        )
        np.testing.assert_allclose(
            results[f"{view}_probabilities"], tf.nn.softmax(expected), atol=1e-5
        )


def test_causal_head_answers_at_each_step(exported, clip):
    path, model = exported("causal_transformer")
    loaded = tf.saved_model.load(path).signatures
    assert set(loaded) == {"serving_default", "init_states", "step"}
    states = loaded["init_states"](batch_size=tf.constant(2))
    for frame in np.split(clip, 8, axis=1):
        outputs = loaded["step"](image=frame, **states)
        states = {name: outputs[name] for name in states}
    expected = model(clip).numpy()
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(outputs["logits"], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_streams_are_of_any_batch_size(exported, batch_size):
    path, _ = exported()
    loaded = tf.saved_model.load(path).signatures
    states = loaded["init_states"](batch_size=tf.constant(batch_size))
    frames = np.zeros((batch_size, 1, 32, 32, 3), np.float32)
    outputs = loaded["step"](image=frames, **states)
    assert outputs["logits"].shape == (batch_size, 5)
    for name, state in states.items():
        assert not np.any(state)
        assert outputs[name].shape == state.shape


def test_base_model_classifies_clips_alone(exported):
    path, _ = exported("official", **BASE)
    assert list(tf.saved_model.load(path).signatures) == ["serving_default"]


def test_labels_and_manifest_lie_beside_the_graph(exported):
    path, model = exported("transformer")
    extra = path / "assets.extra"
    assert (extra / "labels.txt").read_text().split() == CLASSES
    manifest = json.loads((extra / "manifest.json").read_text())
    assert ModelConfig.from_json(json.dumps(manifest["model"])) == model.config
    signatures = manifest["signatures"]
    assert signatures["serving_default"] == {
        "inputs": {"image": {"shape": [None, 8, 32, 32, 3], "dtype": "float32"}},
        "outputs": {
            "logits": {"shape": [None, 5], "dtype": "float32"},
            "probabilities": {"shape": [None, 5], "dtype": "float32"},
        },
    }
    states = set(signatures["init_states"]["outputs"])
    assert set(signatures["step"]["inputs"]) == states | {"image"}
    assert set(signatures["step"]["outputs"]) == states
    assert set(signatures["classify"]["inputs"]) < states


@pytest.fixture
def quick(monkeypatch):
    """Exports without their graphs, which take long."""
    monkeypatch.setattr(saved_model, "make_signatures", lambda model: {})


def test_earlier_export_is_replaced(quick, nano, tmp_path):
    path = tmp_path / "1"
    path.mkdir()
    write_saved_model(path, nano(), CLASSES)
    write_saved_model(path, nano(), CLASSES[::-1])
    labels = (path / "assets.extra" / "labels.txt").read_text()
    assert labels.split() == CLASSES[::-1]
    assert [folder.name for folder in tmp_path.iterdir()] == ["1"]


def test_folder_of_others_is_left_alone(quick, nano, tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    (path / "cat.jpg").touch()
    with pytest.raises(ValueError, match="photos is there and is no earlier export"):
        write_saved_model(path, nano(), CLASSES)
    assert [file.name for file in path.iterdir()] == ["cat.jpg"]


def test_failure_leaves_the_earlier_export(quick, nano, tmp_path, monkeypatch):
    path = tmp_path / "1"
    write_saved_model(path, nano(), CLASSES)

    def fail(model):
        raise OSError("no space")

    monkeypatch.setattr(saved_model, "make_signatures", fail)
    with pytest.raises(OSError, match="no space"):
        write_saved_model(path, nano(), CLASSES[::-1])
    labels = (path / "assets.extra" / "labels.txt").read_text()
    assert labels.split() == CLASSES
    assert [folder.name for folder in tmp_path.iterdir()] == ["1"]


def test_wrong_number_of_class_names_is_refused(nano, tmp_path):
    with pytest.raises(ValueError, match="5 classes, got 2 names"):
        write_saved_model(tmp_path / "model", nano(), ["a", "b"])
    assert not list(tmp_path.iterdir())


def test_program_ends_with_one_line_before_building(run_program, tmp_path):
    (tmp_path / "file").touch()
    done = run_program(
        "export.export_saved_model",
        f"--checkpoint_dir={tmp_path}",
        f"--output_dir={tmp_path}",
    )
    assert done.returncode == 1
    assert "is there and is no earlier export" in done.stderr.splitlines()[-1]
