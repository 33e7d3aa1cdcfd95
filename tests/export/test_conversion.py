"""Tests that an exported file gives, frame by frame, the model's numbers."""

import json

import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from everyday import slow_but
from exported_files import CLASSES, random_frames
from exported_streams import write_stream
from streamed_logits import assert_logits_close, model_logits
from toy_heads import HEADS

from grw_tf.export.conversion import convert
from grw_tf.export.movinet_features import MovinetFeatures
from grw_tf.export.operations import count_operations, step_partitions
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.models import ModelConfig
from grw_tf.streaming import StreamSession

BACKBONES = {
    "2plus1d": {},
    "3d": {"conv_type": "3d", "se_type": "3d"},
    "3d_2plus1d": {"conv_type": "3d_2plus1d"},
    "positions": {"use_positional_encoding": True},
}
FILES = [f"2plus1d-{head}" for head in HEADS]
FILES += [f"{backbone}-official" for backbone in BACKBONES if backbone != "2plus1d"]


@pytest.fixture(
    scope="module",
    params=slow_but(["positions-official"], FILES),
)
def exported(request, nano, tmp_path_factory):
    backbone, head = request.param.split("-")
    model = nano(backbone=BACKBONES[backbone], head=HEADS[head])
    path = tmp_path_factory.mktemp("export") / "model.tflite"
    return write_stream(path, model), model


def test_file_gives_the_models_logits_at_each_frame(exported):
    path, model = exported
    # More frames than a clip's, so that what is kept must slide.
    video = random_frames(11)
    with StreamSession(path) as session:
        for frame, expected in zip(video, model_logits(model, video), strict=True):
            session.push_prepared(frame)
            assert_logits_close(session.logits(), expected, 5e-5)


def test_file_has_built_in_operations_of_four_axes_only(exported):
    content = exported[0].read_bytes()
    counts = count_operations(content)
    assert counts["CONV_2D"] > 5
    assert not [name for name in counts if name.startswith("Flex")]
    model = schema.ModelT.InitFromPackedBuf(content)
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            assert tensor.shape is None or len(tensor.shape) <= 4, tensor.name


def test_xnnpack_takes_nearly_all_at_once(exported):
    # Counting frames is left outside, at either end, and where positions are made.
    assert 1 <= step_partitions(exported[0].read_bytes()).partitions <= 3


def test_only_the_bidirectional_head_classifies_on_demand(exported):
    path, model = exported
    on_demand = "classify" in Interpreter(str(path)).get_signature_list()
    assert on_demand == (model.config.head.type == "transformer")


def test_weights_are_there_once(exported):
    path, model = exported
    weights = sum(4 * tf.size(weight).numpy() for weight in model.weights)
    tables = 4 * model.config.frames * 16
    structure = 400 * sum(count_operations(path.read_bytes()).values())
    assert path.stat().st_size < weights + tables + structure


def test_labels_and_manifest_travel_in_the_file(exported):
    path, model = exported
    # Opening it checks that image and states are those of the model's signatures.
    with StreamSession(path) as session:
        assert session.labels == CLASSES
        manifest = session.manifest
    assert ModelConfig.from_json(json.dumps(manifest["model"])) == model.config
    states = {state["name"] for state in manifest["states"]}
    assert states == set(StreamingNetwork(model).state_specs())


@pytest.mark.slow
def test_operation_that_tflite_lacks_is_refused_by_its_layer(nano, monkeypatch):
    def activate(features, x):
        return tf.math.bessel_i0e(x)

    monkeypatch.setattr(MovinetFeatures, "_activate", activate)
    with pytest.raises(ValueError, match="BesselI0e at stem/.* would need Flex"):
        convert(StreamingNetwork(nano()))


@pytest.mark.slow
def test_log_of_the_converter_is_not_shown(nano, capfd):
    capfd.readouterr()
    convert(StreamingNetwork(nano()))
    told = capfd.readouterr().err
    assert "InitializeLog" not in told and "Ignored output_format" not in told
