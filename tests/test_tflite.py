"""Tests that an exported file gives, frame by frame, the model's numbers."""

import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated

from grw_tf.export.tflite import write_streaming_tflite
from grw_tf.models import HeadConfig, ModelConfig, StreamingModel
from grw_tf.streaming import StreamSession

CLASSES = ["a", "b", "c", "d", "e"]
HEADS = ("official", "transformer", "causal_transformer")


@pytest.fixture(scope="module", params=HEADS)
def exported(request, nano, tmp_path_factory):
    model = nano(head=HeadConfig(type=request.param, num_heads=2, mlp_dim=32))
    path = tmp_path_factory.mktemp("export") / "model.tflite"
    write_streaming_tflite(path, model, CLASSES)
    return path, model


def test_file_gives_the_models_logits_at_each_frame(exported):
    path, model = exported
    session, stream = StreamSession(path), StreamingModel(model)
    states = stream.initial_states()
    # More frames than a clip's, so that what is kept must slide.
    video = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), np.uint8)
    for frame in video:
        session.push(frame)
        image = tf.constant(frame[None, None], tf.float32) / 255
        logits, states = stream.step(image, states)
        expected = stream.classify(states) if logits is None else logits
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            session.logits(), expected[0], rtol=0, atol=1e-5 * scale
        )


def test_file_has_built_in_ops_only(exported):
    path, _ = exported
    file = schema_py_generated.Model.GetRootAs(path.read_bytes())
    codes = [file.OperatorCodes(i) for i in range(file.OperatorCodesLength())]
    assert schema_py_generated.BuiltinOperator.CONV_2D in [
        code.BuiltinCode() for code in codes
    ]
    assert [code.CustomCode() for code in codes if code.CustomCode()] == []


def test_states_keep_their_names(exported):
    path, model = exported
    signature = Interpreter(str(path)).get_signature_list()["step"]
    states = set(StreamingModel(model).state_specs())
    assert set(signature["inputs"]) == states | {"image"}
    assert set(signature["outputs"]) - {"logits"} == states


def test_only_the_bidirectional_head_classifies_on_demand(exported):
    path, model = exported
    on_demand = "classify" in Interpreter(str(path)).get_signature_list()
    assert on_demand == (model.config.head.type == "transformer")


def test_labels_and_config_travel_in_the_file(exported):
    path, model = exported
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == CLASSES
        manifest = json.loads(archive.read("manifest.json"))
    assert ModelConfig.from_json(json.dumps(manifest["model"])) == model.config


@pytest.mark.parametrize("conv_type", ["3d", "3d_2plus1d"])
def test_convolutions_that_tflite_lacks_are_refused(nano, tmp_path, conv_type):
    model = nano(backbone={"conv_type": conv_type})
    with pytest.raises(ValueError, match=f"conv_type={conv_type} needs Conv3D"):
        write_streaming_tflite(tmp_path / "model.tflite", model, CLASSES)


def test_model_of_mixed_precision_is_refused(nano, tmp_path):
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = nano(fresh=True)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    with pytest.raises(ValueError, match="computes in bfloat16"):
        write_streaming_tflite(tmp_path / "model.tflite", model, CLASSES)


def test_wrong_number_of_class_names_is_refused(nano, tmp_path):
    with pytest.raises(ValueError, match="5 classes, got 2 names"):
        write_streaming_tflite(tmp_path / "model.tflite", nano(), ["a", "b"])
    assert not list(tmp_path.iterdir())
