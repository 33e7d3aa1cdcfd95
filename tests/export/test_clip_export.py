"""Tests of exporting models that cannot be streamed, as files that classify clips."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from exported_files import CLASSES, manifest_of, model_of
from read_metadata import read_metadata
from streamed_logits import assert_logits_close
from toy_backbones import BACKBONES, BASE

from grw_tf.export import clip_export
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.quantization.operation_recipes import quantize_layers
from grw_tf.models import RegularizationConfig
from grw_tf.streaming import ClipClassifier
from grw_tf.weights.run_directory import Run

SLOWONLY = BACKBONES["slowonly_nano"]


@pytest.fixture(autouse=True)
def few_clips(monkeypatch):
    monkeypatch.setattr(clip_export, "_CLIPS", 6)


@pytest.fixture
def run(nano):
    return Run(nano(backbone=SLOWONLY), CLASSES, "runs/own/best_ckpt")


def test_file_says_all_that_is_needed_to_run_it(run, configured, output):
    report = export_run(run, configured(quantization="none"))
    assert report.parity.passed
    assert (report.parity.clips, report.parity.count) == ("drawn", 6)
    assert report.parity.largest_difference < 1e-4
    written = json.loads((output.parent / "export_report.json").read_text())
    assert written == json.loads(json.dumps(report.to_dict()))
    manifest = manifest_of(output)
    for key in ("parity", "operations", "partitions", "megabytes", "quantization"):
        assert manifest[key] == written[key]
    assert manifest["signatures"] == ["classify_clip"]
    assert manifest["input"] == {
        "name": "image",
        "shape": [1, 8, 32, 32, 3],
        "dtype": "uint8",
        "range": [0, 255],
        "channels": "RGB",
        "resize": run.model.config.frame_geometry.side,
        "frame_fit": run.model.config.frame_geometry.fit,
    }
    assert manifest["training_run"]["checkpoint"] == "own/best_ckpt"
    (graph,) = read_metadata(read_model(model_of(output)))["subgraphs"]
    assert graph["name"] == "classify_clip"
    assert [tensor["name"] for tensor in graph["inputs"]] == ["image"]
    assert [tensor["name"] for tensor in graph["outputs"]] == ["logits"]
    for words in ("clips of 8 frames", "ms a clip", "XNNPACK partitions"):
        assert words in report.table()


@pytest.mark.parametrize("backbone", slow_but([SLOWONLY], [BASE, SLOWONLY]))
def test_default_is_the_smallest_file_that_gives_the_models_choices(
    nano, configured, output, colored_records, backbone
):
    model = nano(backbone=backbone)
    clips = str(colored_records.parent / "videos")
    report = export_run(Run(model, CLASSES, "ckpt"), configured(clips=clips))
    assert (report.parity.passed, report.parity.clips) == (True, "real")
    assert report.parity.regret.mean_regret <= 0.01
    assert report.quantization["asked"] == "auto"
    assert report.quantization["mode"] == "dynamic"
    video = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    with ClipClassifier(output) as classifier:
        logits = classifier.logits(list(video), prepared=True)
    expected = model(tf.constant(video[None], tf.float32) / 255)[0].numpy()
    assert_logits_close(logits, expected, 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [BASE, SLOWONLY])
@pytest.mark.parametrize("mode", ["float16", "dynamic", "weight_only"])
def test_each_precision_is_smaller_and_passes(nano, configured, backbone, mode):
    run = Run(nano(backbone=backbone), CLASSES, "ckpt")
    floats = export_run(run, configured(quantization="none"))
    report = export_run(run, configured(quantization=mode))
    assert report.parity.passed
    assert report.quantization["mode"] == mode
    assert report.parity.largest_difference > 0
    assert report.parity.conversion_difference < 1e-4
    assert report.megabytes < floats.megabytes


@pytest.mark.slow
def test_larger_file_is_taken_if_8_bits_change_the_choices(
    run, configured, output, monkeypatch
):
    def spoiled(content, mode):
        model = read_model(quantize_layers(content, mode))
        if mode in ("dynamic", "weight_only"):
            # Another order of the classes.
            kernel = max(
                model.buffers, key=lambda b: 0 if b.data is None else b.data.size
            )
            kernel.data = kernel.data[::-1].copy()
        return write_model(model)

    monkeypatch.setattr(clip_export, "quantize_layers", spoiled)
    report = export_run(run, configured())
    assert report.quantization["mode"] == "float16"
    assert list(report.quantization["refused"]) == ["dynamic", "weight_only"]
    assert "differs from the model" in report.quantization["refused"]["dynamic"][0]
    assert report.parity.passed


def _spoil(monkeypatch):
    class Spoiled(clip_export.ClipNetwork):
        def classify_clip(self, image):
            # The likeliest class stays the same.
            return 1.1 * super().classify_clip(image)

    monkeypatch.setattr(clip_export, "ClipNetwork", Spoiled)


@pytest.mark.parametrize("mode", slow_but(["dynamic"], ["none", "dynamic"]))
def test_wrong_file_is_not_written(run, configured, tmp_path, monkeypatch, mode):
    _spoil(monkeypatch)
    with pytest.raises(ValueError, match="was not written: .* differ.* the model by"):
        export_run(run, configured(quantization=mode))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_wrong_file_is_written_with_a_warning_on_demand(
    run, configured, output, monkeypatch, caplog
):
    _spoil(monkeypatch)
    config = configured(quantization="none", allow_mismatch=True)
    assert not export_run(run, config).parity.passed
    assert "does not give the model's numbers" in caplog.text
    caplog.clear()
    ClipClassifier(output).close()
    assert "although it does not give its model's numbers" in caplog.text


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            {"quantization": "int8"},
            "int8 is for stream .*slowonly_nano .*use auto",
        ),
        ({"quantization": "int16"}, "int16 is for stream .*slowonly_nano .*use auto"),
        ({"frames_per_step": 2}, "--frames_per_step=2 is for stream .*whole clips"),
        ({"target": "gpu"}, "--target=gpu is for stream models"),
        ({"layout": "tensorflow_examples"}, "--layout=tensorflow_examples is for"),
    ],
)
def test_what_only_streams_have_is_refused(run, configured, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        export_run(run, configured(**fields))
    assert not list(tmp_path.iterdir())


def test_regularizer_that_acts_at_inference_is_refused(nano, configured, tmp_path):
    rms = RegularizationConfig(methods=("rms",))
    rms = dataclasses.replace(
        rms, rms=dataclasses.replace(rms.rms, distribution="normal(0.5, 0.1)")
    )
    model = nano(backbone=SLOWONLY, regularization=rms)
    with pytest.raises(ValueError, match="does not compute: train with a mean of 1"):
        export_run(Run(model, CLASSES, "ckpt"), configured())
    assert not list(tmp_path.iterdir())


def test_other_names_than_tflite_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match="name a .tflite file"):
        export_run(run, ExportConfig(output=str(tmp_path / "model")))


@pytest.mark.slow
def test_program_exports_and_classifies_a_video(
    nano, run_program, run_bare_program, colored_records, tmp_path, output
):
    tf.train.Checkpoint(model=nano(backbone=BASE)).write(str(tmp_path / "ckpt"))
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    checkpoint = f"--checkpoint_dir={tmp_path / 'ckpt'}"
    done = run_program("export.export_tflite", checkpoint, f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert "classifies" in done.stdout and "Written to" in done.stdout
    video = next((colored_records.parent / "videos").rglob("*.mp4"))
    flags = f"--model={output}", f"--source={video}", "--json"
    done = run_bare_program("export.run_stream", *flags)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["top"][0]["class"] in CLASSES
