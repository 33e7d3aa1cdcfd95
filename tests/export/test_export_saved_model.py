"""Tests that a SavedModel gives the model's numbers to those who have TensorFlow."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from exported_files import CLASSES
from streamed_logits import assert_logits_close
from toy_heads import HEADS

from grw_tf.export import saved_model
from grw_tf.export.saved_model import write_saved_model
from grw_tf.models import BackboneConfig, ModelConfig

BASE = {"causal": False, "conv_type": "3d", "se_type": "3d"}
SLOWONLY = dataclasses.asdict(BackboneConfig.of_family("slowonly_nano"))

# Run in a folder from which grw_tf cannot be imported.
SERVER = """
import importlib.util, sys
import numpy as np
import tensorflow as tf

assert importlib.util.find_spec("grw_tf") is None
loaded = tf.saved_model.load("model").signatures
clip = np.load("clip.npy")
results = {"clip": loaded["serving_default"](image=clip)}
states = loaded["init_states"](batch_size=tf.constant(len(clip)))
for frame in np.split(clip, clip.shape[1], axis=1):
    states = loaded["step"](image=frame, **states)
wanted = loaded["classify"].structured_input_signature[1]
results["stream"] = loaded["classify"](**{name: states[name] for name in wanted})
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

    @functools.cache
    def export(head="official", **backbone):
        model = nano(head=HEADS[head], backbone=backbone)
        path = tmp_path_factory.mktemp("saved") / "model"
        write_saved_model(path, model, CLASSES)
        return path, model

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


@pytest.mark.slow
def test_server_without_this_project_gives_the_models_logits(exported, clip):
    path, model = exported("transformer")
    results = _serve(path, clip)
    expected = model(clip).numpy()
    probabilities = tf.nn.softmax(expected)
    for view in ("clip", "stream"):
        assert_logits_close(results[f"{view}_logits"], expected)
        assert_logits_close(results[f"{view}_probabilities"], probabilities)


@pytest.mark.parametrize(
    "head", slow_but(["official"], ["official", "mean", "causal_transformer"])
)
def test_heads_that_answer_at_each_step_do(exported, clip, head):
    path, model = exported(head)
    loaded = tf.saved_model.load(path).signatures
    assert set(loaded) == {"serving_default", "init_states", "step"}
    # Any number of streams.
    clip = np.concatenate([clip, clip[:1, ::-1]])
    states = loaded["init_states"](batch_size=tf.constant(3))
    for frame in np.split(clip, 8, axis=1):
        outputs = loaded["step"](image=frame, **states)
        states = {name: outputs[name] for name in states}
    assert_logits_close(outputs["logits"], model(clip).numpy())


@pytest.mark.parametrize("backbone", slow_but([SLOWONLY], [BASE, SLOWONLY]))
def test_base_model_classifies_clips_alone(exported, clip, backbone):
    path, model = exported("official", **backbone)
    loaded = tf.saved_model.load(path).signatures
    assert list(loaded) == ["serving_default"]
    for clips in (clip, clip[:1]):
        logits = loaded["serving_default"](image=clips)["logits"]
        assert_logits_close(logits, model(clips).numpy())


def _labels(path):
    return (path / "assets.extra" / "labels.txt").read_text().split()


@pytest.mark.slow
def test_labels_and_manifest_lie_beside_the_graph(exported):
    path, model = exported("transformer")
    assert _labels(path) == CLASSES
    manifest = json.loads((path / "assets.extra" / "manifest.json").read_text())
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
    assert _labels(path) == CLASSES[::-1]
    assert [folder.name for folder in tmp_path.iterdir()] == ["1"]


def test_folder_of_others_is_left_alone(quick, nano, tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    (path / "cat.jpg").touch()
    with pytest.raises(ValueError, match="photos exists and is not an earlier export"):
        write_saved_model(path, nano(), CLASSES)
    assert [file.name for file in path.iterdir()] == ["cat.jpg"]


def test_failure_leaves_the_earlier_export(quick, nano, tmp_path, monkeypatch):
    path = tmp_path / "1"
    write_saved_model(path, nano(), CLASSES)
    full = mock.Mock(side_effect=OSError("no space"))
    monkeypatch.setattr(saved_model, "make_signatures", full)
    with pytest.raises(OSError, match="no space"):
        write_saved_model(path, nano(), CLASSES[::-1])
    assert _labels(path) == CLASSES
    assert [folder.name for folder in tmp_path.iterdir()] == ["1"]


def test_wrong_number_of_class_names_is_refused(nano, tmp_path):
    with pytest.raises(ValueError, match="5 classes, got 2 names"):
        write_saved_model(tmp_path / "model", nano(), ["a", "b"])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_program_exports_a_checkpoint_and_replaces_no_other_folder(
    run_program, nano, tmp_path
):
    tf.train.Checkpoint(model=nano()).write(str(tmp_path / "ckpt"))
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES) + "\n")

    def export(output_dir):
        return run_program(
            "export.export_saved_model",
            f"--checkpoint_dir={tmp_path / 'ckpt'}",
            f"--output_dir={output_dir}",
        )

    done = export(tmp_path / "serving" / "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "serving" / "1" / "saved_model.pb").exists()
    done = export(tmp_path)
    assert done.returncode == 1
    assert "exists and is not an earlier export" in done.stderr.splitlines()[-1]
