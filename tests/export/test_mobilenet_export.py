"""Tests that MobileNetV3s stream from files as they do here."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from random_weights import randomize
from streamed_logits import assert_logits_close, model_logits, network_logits
from toy_heads import HEADS

from grw_tf.export import export as exporting
from grw_tf.export.conversion import convert
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.export.operations import count_operations, step_partitions
from grw_tf.export.quantization.quantize import CALIBRATED, MODES
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.saved_model import write_saved_model
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.streams import drawn_streams
from grw_tf.models import RegularizationConfig, build_model, preset
from grw_tf.streaming import StreamSession
from grw_tf.weights.run_directory import Run

CLASSES = ("a", "b", "c", "d")
COUNT = "state_temporal_head_frame_count"


def _config(name):
    return preset(name, size=32, frames=8, num_classes=4)


def _build(config):
    """Returns a model with random weights that tells frames apart."""
    tf_keras.utils.set_random_seed(0)
    model = build_model(config)
    randomize(model.head)
    for layer in model.backbone.network.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            randomize(layer)
            layer.momentum = 0.0
    scenes = np.stack(drawn_streams(config, 32, frames=1), axis=1)
    model.backbone(tf.constant(scenes, tf.float32) / 255, training=True)
    return model


IN_8_BITS = ("dynamic", "weight_only", "int8", "int16")


@pytest.fixture(scope="module")
def model():
    """A model with the mean head."""
    return _build(_config("mobilenet_v3_small"))


@pytest.fixture(scope="module")
def transformer():
    return _build(_config("mobilenet_v3_small_grw"))


@pytest.fixture(scope="module")
def video(model):
    return drawn_streams(model.config, 1, frames=12, seed=1)[0]


@pytest.fixture(scope="module")
def content(model):
    return convert(StreamingNetwork(model))


@pytest.fixture
def short_streams(monkeypatch):
    """Shortens the comparison in tests of something else."""
    # Two of them are enough to calibrate on.
    monkeypatch.setattr(exporting, "FRAMES", 150)
    monkeypatch.setattr(exporting, "_STREAMS", 1)


def test_file_gives_the_models_logits(model, content, video):
    logits = Rollout(content).logits(video)
    # Longer than a clip, whose mean forgets then.
    assert_logits_close(logits, model_logits(model, video))
    clip = tf.constant(video[None, : model.config.frames], tf.float32) / 255
    assert_logits_close(logits[model.config.frames - 1], model(clip)[0])


@pytest.mark.slow
def test_file_of_fractions_two_at_once_classifies_on_demand(transformer, video):
    network = StreamingNetwork(transformer, frames_per_step=2, image_dtype="float32")
    rollout = Rollout(convert(network))
    assert rollout.step(video[:2]) is None
    rollout.restart()
    # The file is asked after some of the steps, the last among them.
    expected = model_logits(transformer, video)
    assert_logits_close(rollout.logits(video)[-1], expected[-1])
    rollout.restart()
    clip = tf.constant(video[None, :8], tf.float32) / 255
    assert_logits_close(rollout.logits(video[:8])[-1], transformer(clip)[0])


@pytest.mark.slow
def test_causal_head_gives_logits_at_each_step(model, video):
    config = dataclasses.replace(model.config, head=HEADS["causal_transformer"])
    causal = _build(config)
    logits, _ = network_logits(StreamingNetwork(causal, 3), video)
    assert_logits_close(logits, model_logits(causal, video)[2::3])


@pytest.mark.slow
def test_mean_of_embeddings_gives_logits_at_each_step(model, video):
    averaged = _build(dataclasses.replace(model.config, head=HEADS["mean"]))
    network = StreamingNetwork(averaged)
    shape = network.state_specs()["state_temporal_head_mean"].shape
    assert shape == (1, HEADS["mean"].embed_dim)
    logits = Rollout(convert(network)).logits(video)
    assert_logits_close(logits, model_logits(averaged, video))


@pytest.mark.slow
def test_only_the_head_has_states(model, transformer):
    for streamed, state in ((model, "mean"), (transformer, "embeddings")):
        states = set(StreamingNetwork(streamed).state_specs())
        assert states == {f"state_temporal_head_{state}", COUNT}


def test_graph_is_one_for_devices(content):
    counts = count_operations(content)
    # Two to a squeeze excitation, and one to scale the bytes.
    assert counts["MUL"] == 2 * 9 + 1
    # Batch normalization is in the convolutions: these are shortcuts, mean and count.
    assert counts["ADD"] == 6 + 1 + 1
    assert counts["HARD_SWISH"] == 19
    assert "PAD" not in counts
    assert step_partitions(content).partitions == 1
    (subgraph,) = schema.ModelT.InitFromPackedBuf(content).subgraphs
    assert max(len(tensor.shape) for tensor in subgraph.tensors) == 4


@pytest.mark.slow
def test_regularizers_leave_nothing_behind(model, content):
    regularization = RegularizationConfig(methods=("rms", "shake_drop"))
    config = dataclasses.replace(model.config, regularization=regularization)
    regularized = build_model(config)
    found = count_operations(convert(StreamingNetwork(regularized)))
    assert found == count_operations(content)


@pytest.mark.slow
def test_exported_file_is_played(
    model, content, video, short_streams, tmp_path, monkeypatch
):
    # Converting takes long.
    monkeypatch.setattr(exporting, "convert", lambda network: content)
    output = tmp_path / "model.tflite"
    config = ExportConfig(output=str(output), quantization="dynamic")
    report = export_run(Run(model, CLASSES, "ckpt"), config)
    assert report.parity.passed
    assert report.partitions.partitions == 1
    with StreamSession(output) as session:
        assert session.labels == list(CLASSES)
        for frame in video:
            session.push(frame)
        probabilities = session.classify()
    assert probabilities.sum() == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "transformer"])
def test_saved_model_gives_the_models_logits(request, kind, video, tmp_path):
    model = request.getfixturevalue(kind)
    write_saved_model(tmp_path / "1", model, CLASSES)
    loaded = tf.saved_model.load(tmp_path / "1").signatures
    clips = np.stack([video[:8], video[4:]]).astype(np.float32) / 255
    expected = model(clips).numpy()
    assert_logits_close(loaded["serving_default"](image=clips)["logits"], expected)
    answers = loaded["init_states"](batch_size=tf.constant(2))
    names = list(answers)
    for frame in np.split(clips, 8, axis=1):
        answers = loaded["step"](image=frame, **{name: answers[name] for name in names})
    if "logits" not in answers:
        answers = loaded["classify"](**answers)
    assert_logits_close(answers["logits"], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, mode",
    [
        (kind, mode)
        for kind in ("model", "transformer")
        for mode in MODES
        # A transformer has operations that no integers compute.
        if (kind, mode) != ("transformer", "int16")
    ],
)
def test_every_quantization_makes_the_models_choices(
    request, kind, mode, short_streams, tmp_path, monkeypatch, colored_records
):
    videos = str(colored_records.parent / "videos")
    # Enough to calibrate on.
    monkeypatch.setattr(exporting, "_STREAMS", 2)
    config = ExportConfig(
        output=str(tmp_path / "model.tflite"),
        quantization=mode,
        clips=videos if mode in CALIBRATED else "",
        # Few choices of random weights are clear: 8 bits may miss the limits.
        allow_mismatch=mode in IN_8_BITS,
    )
    model = request.getfixturevalue(kind)
    report = export_run(Run(model, CLASSES, "ckpt"), config)
    assert report.parity.passed or mode in IN_8_BITS
    assert report.parity.regret.agreement > 0.85
    assert report.partitions.partitions == (0 if mode == "int16" else 1)
    if mode == "int8":
        operations = report.quantization["operations"]
        assert operations[0]["name"] == "network/Conv/Conv2D"
    states = {s["name"]: s["dtype"] for s in report.quantization["states"]}
    assert states[COUNT] == "int32"
