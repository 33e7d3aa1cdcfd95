"""Tests that MobileNetV3s with temporal shifts stream from files as they do here."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from random_weights import randomize
from streamed_logits import assert_logits_close, model_logits

from grw_tf.export import export as exporting
from grw_tf.export.conversion import convert
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.export.operations import step_partitions
from grw_tf.export.quantization.quantize import MODES
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.saved_model import write_saved_model
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.streams import drawn_streams
from grw_tf.models import StreamingModel, build_model, preset
from grw_tf.models.batch_normalization import batch_normalizations
from grw_tf.weights.run_directory import Run

IN_8_BITS = ("dynamic", "weight_only", "int8")


@pytest.fixture(scope="module")
def model():
    """A model with random weights that tells frames apart."""
    tf_keras.utils.set_random_seed(0)
    config = preset("tsm_mobilenet_v3_small", size=32, frames=8, num_classes=4)
    model = build_model(config)
    randomize(model.head)
    for norm in batch_normalizations(model.backbone):
        randomize(norm)
        norm.momentum = 0.0
    scenes = np.stack(drawn_streams(config, 8, frames=4))
    model.backbone(tf.constant(scenes, tf.float32) / 255, training=True)
    return model


@pytest.fixture(scope="module")
def video(model):
    return drawn_streams(model.config, 1, frames=12, seed=1)[0]


@pytest.fixture(scope="module")
def content(model):
    return convert(StreamingNetwork(model))


@pytest.mark.slow
def test_file_gives_the_models_logits(model, content, video):
    logits = Rollout(content).logits(video)
    assert_logits_close(logits, model_logits(model, video))
    clip = tf.constant(video[None, :8], tf.float32) / 255
    assert_logits_close(logits[7], model(clip)[0])


@pytest.mark.slow
def test_states_are_channels_of_the_last_frame(model, content):
    shifts = model.backbone.state_specs(1)
    assert len(shifts) == 6
    network, stream = StreamingNetwork(model), StreamingModel(model)
    for specs in (network.state_specs(), stream.state_specs()):
        assert {name: specs[name].shape for name in shifts} == {
            name: spec.shape for name, spec in shifts.items()
        }


@pytest.mark.slow
def test_graph_is_one_for_devices(content):
    assert step_partitions(content).partitions == 1
    (subgraph,) = schema.ModelT.InitFromPackedBuf(content).subgraphs
    assert max(len(tensor.shape) for tensor in subgraph.tensors) == 4


@pytest.mark.slow
def test_file_of_two_frames_at_once_gives_the_models_logits(model, video):
    content = convert(StreamingNetwork(model, frames_per_step=2))
    logits = Rollout(content).logits(video)
    assert_logits_close(logits, model_logits(model, video)[1::2])


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_quantization_makes_the_models_choices(
    model, mode, tmp_path, monkeypatch, colored_records
):
    monkeypatch.setattr(exporting, "FRAMES", 150)
    # Enough to calibrate on.
    monkeypatch.setattr(exporting, "_STREAMS", 2)
    config = ExportConfig(
        output=str(tmp_path / "model.tflite"),
        quantization=mode,
        clips=str(colored_records.parent / "videos") if mode == "int8" else "",
        # Few choices of random weights are clear: 8 bits may miss the limits.
        allow_mismatch=mode in IN_8_BITS,
    )
    report = export_run(Run(model, ("a", "b", "c", "d"), "ckpt"), config)
    assert report.parity.passed or mode in IN_8_BITS
    assert report.parity.regret.agreement > 0.85


@pytest.mark.slow
def test_saved_model_gives_the_models_logits(model, video, tmp_path):
    write_saved_model(tmp_path / "1", model, ("a", "b", "c", "d"))
    loaded = tf.saved_model.load(tmp_path / "1").signatures
    clips = np.stack([video[:8], video[4:]]).astype(np.float32) / 255
    expected = model(clips).numpy()
    assert_logits_close(loaded["serving_default"](image=clips)["logits"], expected)
    answers = loaded["init_states"](batch_size=tf.constant(2))
    names = list(answers)
    for frame in np.split(clips, 8, axis=1):
        answers = loaded["step"](image=frame, **{name: answers[name] for name in names})
    assert_logits_close(answers["logits"], expected)
