"""Tests of exporting what a training left, as users do."""

import dataclasses
import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from drawn_videos import write_video
from everyday import slow_but
from exported_files import CLASSES, manifest_of
from toy_backbones import BACKBONES, BASE
from toy_heads import HEADS

from grw_tf.export import export as exporting
from grw_tf.export.export import ExportConfig, export, export_run
from grw_tf.export.quantization.quantize import MODES
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.streaming import StreamSession
from grw_tf.weights.run_directory import Run


@pytest.fixture(scope="module")
def exported(finished_training, tmp_path_factory):
    """The file of a training by the command's defaults, and the report."""
    path = tmp_path_factory.mktemp("exported") / "model.tflite"
    return path, export(ExportConfig(str(finished_training), str(path)))


@pytest.fixture
def short_streams(monkeypatch):
    """Shortens the comparison in tests of something else."""
    monkeypatch.setattr(exporting, "FRAMES", 30)
    monkeypatch.setattr(exporting, "_STREAMS", 1)


@pytest.fixture
def run(nano, short_streams):
    return Run(nano(), CLASSES, "runs/own/best_ckpt")


def test_training_is_exported_by_its_folder_alone(exported, colored_records):
    path, report = exported
    parity = report.parity
    assert parity.passed
    assert (parity.streams, parity.frames, parity.clips) == (3, 300, "real")
    assert parity.clip_difference < 1e-4
    with StreamSession(path) as session:
        assert session.labels == ["blue", "red"]
        session.push(np.zeros((48, 64, 3), np.uint8))
        probabilities = session.classify()
    assert probabilities.shape == (2,)
    assert probabilities.sum() == pytest.approx(1)


def test_figures_are_in_the_file_and_in_a_report_beside_it(exported):
    path, report = exported
    written = json.loads((path.parent / "export_report.json").read_text())
    assert written == json.loads(json.dumps(report.to_dict()))
    assert written["file"] == "model.tflite"
    manifest = manifest_of(path)
    for key in ("parity", "operations", "partitions", "megabytes"):
        assert manifest[key] == written[key]
    assert manifest["output"]["name"] == "logits"
    assert manifest["quantization"]["mode"] == "dynamic"
    assert manifest["training_run"]["checkpoint"] == "finished_training/best_ckpt"
    for words in ("MB", "dynamic", "XNNPACK partitions", "ms a frame", "other choices"):
        assert words in report.table()


@pytest.mark.slow
def test_float_files_keep_the_numbers_and_half_precision_is_smaller(
    run, configured, output
):
    sizes = []
    for mode, limit in (("none", 1e-4), ("float16", 1e-2)):
        report = export_run(run, configured(quantization=mode))
        assert report.parity.clips == "drawn"
        assert report.parity.largest_difference < limit
        assert report.megabytes == pytest.approx(output.stat().st_size / 1e6, rel=0.3)
        sizes.append(report.megabytes)
    # The rest is structure.
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("quantization", slow_but(["dynamic"], ["none", "dynamic"]))
def test_wrong_file_is_not_written(
    run, configured, tmp_path, monkeypatch, quantization
):
    # The likeliest class stays the same.
    _spoil(monkeypatch)
    with pytest.raises(ValueError, match="was not written: .* differ.* the model by"):
        export_run(run, configured(quantization=quantization))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_steps_that_do_not_divide_a_clip_are_compared(nano, configured, short_streams):
    run = Run(nano(fresh=True, frames=31), CLASSES, "ckpt")
    config = configured(quantization="none", frames_per_step=7)
    assert export_run(run, config).parity.frames == 35


@pytest.mark.slow
def test_wrong_file_is_written_with_a_warning_on_demand(
    run, configured, output, monkeypatch, caplog
):
    _spoil(monkeypatch)
    config = configured(quantization="none", allow_mismatch=True)
    assert not export_run(run, config).parity.passed
    assert "does not give the model's numbers" in caplog.text
    assert not manifest_of(output)["parity"]["passed"]


def _spoil(monkeypatch):
    class Spoiled(exporting.StreamingNetwork):
        def step(self, image, states):
            logits, new = super().step(image, states)
            return 1.1 * logits, new

    monkeypatch.setattr(exporting, "StreamingNetwork", Spoiled)


@pytest.mark.slow
def test_fractions_are_taken_on_demand(run, configured, output):
    config = configured(quantization="none", image_dtype="float32", frames_per_step=2)
    assert export_run(run, config).parity.passed
    runner = Interpreter(str(output)).get_signature_runner("step")
    image = runner.get_input_details()["image"]
    assert image["dtype"] == np.float32
    assert image["shape"].tolist() == [2, 32, 32, 3]


@pytest.mark.slow
def test_folder_of_videos_serves_as_clips(run, configured, colored_records):
    clips = str(colored_records.parent / "videos")
    config = configured(quantization="none", clips=clips)
    parity = export_run(run, config).parity
    assert (parity.passed, parity.clips) == (True, "real")


@pytest.mark.slow
def test_int8_is_calibrated_on_the_clips(nano, configured, colored_records):
    run = Run(nano(head=HEADS["causal_transformer"]), CLASSES, "ckpt")
    clips = str(colored_records.parent / "videos")
    # Random weights amplify roundings.
    config = configured(quantization="int8", clips=clips, allow_mismatch=True)
    report = export_run(run, config)
    assert report.quantization["mode"] == "int8"
    assert report.parity.clip_difference < 1e-4


def test_int8_without_clips_is_refused(run, configured):
    with pytest.raises(ValueError, match="calibrated on clips.*give --clips"):
        export_run(run, configured(quantization="int8"))


@pytest.mark.parametrize(
    "backbone, name", [(BASE, "nano"), (BACKBONES["slowonly_nano"], "slowonly")]
)
def test_base_model_is_refused_as_a_stream(nano, backbone, name):
    message = (
        f"{name}.* cannot be streamed: use a stream model, or .*export_tflite.*"
        "saved_model"
    )
    with pytest.raises(ValueError, match=message):
        StreamingNetwork(nano(backbone=backbone))


def test_int8_needs_clips_to_calibrate_and_others_to_check_on(
    run, configured, tmp_path
):
    (tmp_path / "videos" / "b").mkdir(parents=True)
    (tmp_path / "videos" / "b" / "1.mp4").write_text("no video")
    write_video(tmp_path / "videos" / "a" / "1.mp4", [(0, 0, 0)] * 5, 5)
    config = configured(quantization="int8", clips=str(tmp_path / "videos"))
    with pytest.raises(ValueError, match="fewer videos .* needed: 2, for calibration"):
        export_run(run, config)


def test_video_in_place_of_its_folder_is_refused(run, configured):
    with pytest.raises(ValueError, match="a.mp4 is a video: give the folder"):
        export_run(run, configured(clips="a.mp4"))


def test_folder_that_is_not_there_is_named_before_any_work(tmp_path):
    config = ExportConfig("nothing", str(tmp_path / "nothing" / "model.tflite"))
    with pytest.raises(OSError, match="is in a missing folder"):
        export(config)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"quantization": "int4"}, "quantization is 'int4': it must be one of auto"),
        (
            {"quantization": "int16", "target": "gpu"},
            "int16, for NPUs .*: leave out --target=gpu",
        ),
        (
            {"quantization": "int16", "layout": "tensorflow_examples"},
            "int16, for NPUs .*: leave out --layout=tensorflow_examples",
        ),
        ({"output": "gs://bucket/model.tflite"}, "write a local file"),
        ({"frames_per_step": 0}, "frames_per_step is 0: it must be from 1 to 300"),
        ({"frames_per_step": 301}, "frames_per_step is 301"),
        ({"image_dtype": "int8"}, "image_dtype is 'int8': it must be one of uint8"),
    ],
)
def test_values_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ExportConfig(**fields)


@pytest.mark.parametrize("name", ["export_report.json", "model"])
def test_other_names_than_tflite_are_refused(run, tmp_path, name):
    config = ExportConfig(output=str(tmp_path / name))
    with pytest.raises(ValueError, match="name a .tflite file"):
        export_run(run, config)


@pytest.mark.slow
def test_program_names_what_is_wrong_in_one_line(tmp_path, output, run_program):
    flags = f"--checkpoint_dir={tmp_path}", f"--output={output}"
    done = run_program("export.export_tflite", *flags)
    assert done.returncode == 1
    assert "There is no labels.txt in" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("quantization", MODES)
def test_real_model_is_exported(shared, configured, quantization):
    from grw_tf.models import build_model, preset
    from grw_tf.weights.restore import restore

    config = preset("a0_stream", num_classes=7)
    gate = dataclasses.replace(config.backbone, gating_activation="hard_sigmoid_relu6")
    model = build_model(dataclasses.replace(config, backbone=gate))
    archive = "movinet_a0_stream_trained.tar.gz"
    restore(model, str(shared / "data" / "real_a0_stream" / archive))
    run = Run(model, tuple("abcdefg"), "real")
    clips = str(shared / "data" / "videos")
    report = export_run(run, configured(quantization=quantization, clips=clips))
    assert report.parity.passed
    if quantization == "none":
        assert report.parity.largest_difference < 1e-5
