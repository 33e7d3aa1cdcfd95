"""Tests that TensorFlow's sample apps can run exported files as they are."""

import json
import zipfile

import numpy as np
import pytest
from exported_files import CLASSES, manifest_of, model_of, random_frames
from read_metadata import read_metadata
from sample_app import SampleApp
from streamed_logits import assert_logits_close, model_logits
from toy_heads import HEADS

from grw_tf.export import export as exporting
from grw_tf.export.conversion import convert
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.export.flatbuffer import read_model
from grw_tf.export.quantization.state_quantization import quantize_states
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.tensorflow_examples import to_layout
from grw_tf.models import preset
from grw_tf.streaming import StreamSession
from grw_tf.weights.run_directory import Run

LABEL_FILE = "kinetics600_label_map.txt"


def _export(folder, model, class_names=CLASSES):
    """Exports a model in the layout, compared briefly; returns path and report."""
    path = folder / "model.tflite"
    config = ExportConfig(
        output=str(path), quantization="none", layout="tensorflow_examples"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "FRAMES", 30)
        patch.setattr(exporting, "_STREAMS", 1)
        return path, export_run(Run(model, tuple(class_names), "ckpt"), config)


@pytest.fixture(scope="module")
def exported(nano, tmp_path_factory):
    """A file with the official head, and its report."""
    return _export(tmp_path_factory.mktemp("samples"), nano())


def _check(path, model):
    """Compares the sample app's logits with the model's, twice."""
    app = SampleApp(path, path.with_name(LABEL_FILE))
    frames = random_frames(12)
    expected = model_logits(model, frames)
    for _ in range(2):
        logits = np.stack([app.logits(frame) for frame in frames])
        assert_logits_close(logits, expected, 1e-4)
        app.clear()
    assert app.labels == list(CLASSES)[: len(app.labels)]


@pytest.mark.slow
def test_sample_app_gives_the_models_logits(nano, exported):
    path, report = exported
    assert report.parity.passed and report.parity.largest_difference < 1e-4
    _check(path, nano())


@pytest.mark.slow
@pytest.mark.parametrize("head", ["mean", "causal_transformer"])
def test_sample_app_runs_other_heads(nano, tmp_path, head):
    model = nano(head=HEADS[head])
    path, report = _export(tmp_path, model)
    assert report.parity.passed
    _check(path, model)


@pytest.mark.slow
def test_sample_app_runs_a_mobilenet(tmp_path):
    from grw_tf.models import build_model

    model = build_model(preset("mobilenet_v3_small", size=32, frames=8, num_classes=4))
    path, report = _export(tmp_path, model, CLASSES[:4])
    assert report.parity.passed
    _check(path, model)


def test_session_of_this_project_reads_the_layout_too(nano, exported):
    model = nano()
    path, _ = exported
    manifest = manifest_of(path)
    assert manifest["signatures"] == ["serving_default"]
    assert manifest["input"]["shape"] == [1, 1, 32, 32, 3]
    frames = random_frames(9)
    expected = model_logits(model, frames)
    for runner in ("compiled", "interpreter"):
        with StreamSession(path, runner=runner) as session:
            for frame, logits in zip(frames, expected, strict=True):
                session.push_prepared(frame)
                assert_logits_close(session.logits(), logits, 1e-4)


def test_head_that_gives_logits_on_demand_is_refused(nano, tmp_path):
    message = (
        "'transformer' head .* train with the official, causal_transformer or mean"
    )
    with pytest.raises(ValueError, match=message):
        _export(tmp_path, nano(head=HEADS["transformer"]))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_states_in_8_bits_start_from_bytes_of_zero(nano):
    content = convert(StreamingNetwork(nano(), image_dtype="float32"))
    name = "state_block0_layer0_stream_sum1"
    lopsided = quantize_states(content, {name: (-1.0, 3.0)})
    assert _entry(lopsided, name)["initial_value"] != 0
    entry = _entry(to_layout(lopsided), name)
    assert (entry["initial_value"], entry["dtype"]) == (0, "int8")
    # The range is covered as before.
    assert entry["scale"] * 127 == pytest.approx(3.0, rel=0.01)


def _entry(content, name):
    (entry,) = (entry for entry in state_entries(content) if entry["name"] == name)
    return entry


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"frames_per_step": 2}, "frames_per_step is 2: .* one frame a step"),
        ({"image_dtype": "uint8"}, "image_dtype is uint8: --layout=.* takes float32"),
        ({"target": "gpu"}, "image of five axes, which GPU delegates refuse"),
        ({"layout": "samples"}, "layout is 'samples': it must be one of grw, tensor"),
    ],
)
def test_settings_that_the_samples_exclude_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ExportConfig(**{"layout": "tensorflow_examples"} | fields)


@pytest.mark.slow
def test_what_an_app_must_change_is_said(nano, tmp_path, monkeypatch, caplog):
    def stop(network):
        raise InterruptedError

    monkeypatch.setattr(exporting, "convert", stop)
    with pytest.raises(InterruptedError):
        _export(tmp_path, nano(num_classes=2, fps=8.0), ("a", "b"))
    assert "feed 5 frames a second, and this model was trained on 8" in caplog.text
    assert "crashes with the 2 of this model" in caplog.text


def test_report_says_what_delegates_fail_on(exported):
    path, report = exported
    rules = {finding.rule for finding in report.delegate_findings}
    assert {"five_axes", "output_read"} <= rules
    written = json.loads((path.parent / "export_report.json").read_text())
    assert [f["rule"] for f in written["delegate_findings"]] == [
        f.rule for f in report.delegate_findings
    ]
    assert "1 five_axes" in report.table()


def test_metadata_names_inputs_outputs_and_the_label_file(exported):
    path, _ = exported
    model = read_model(model_of(path))
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    metadata = read_metadata(model)
    assert metadata["min_parser_version"] == "1.0.0"
    (described,) = metadata["subgraphs"]
    for kind, indices, entries in (
        ("inputs", graph.inputs, signature.inputs),
        ("outputs", graph.outputs, signature.outputs),
    ):
        names = {entry.tensorIndex: entry.name.decode() for entry in entries}
        assert [t["name"] for t in described[kind]] == [names[i] for i in indices]
    image = next(t for t in described["inputs"] if t["name"] == "image")
    assert image["content"] == "image"
    assert (image["mean"], image["std"]) == ([0.0], [255.0])
    logits = next(t for t in described["outputs"] if t["name"] == "logits")
    assert (logits["file"], logits["file_type"]) == ("labels.txt", "axis labels")
    with zipfile.ZipFile(path) as archive:
        # Readers on phones want it uncompressed.
        assert archive.getinfo(logits["file"]).compress_type == zipfile.ZIP_STORED
        assert archive.read(logits["file"]).decode().splitlines() == list(CLASSES)
