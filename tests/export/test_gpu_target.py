"""Tests that files for GPU delegates avoid what those fail on, with equal numbers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from everyday import slow_but
from exported_files import CLASSES, random_frames
from toy_heads import HEADS

from grw_tf.export import export as exporting
from grw_tf.export.conversion import convert
from grw_tf.export.delegate_rules import find_patterns
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.export.own_outputs import separate_outputs
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.weights.run_directory import Run

# Debian's Chromium has a Vulkan driver that computes on CPUs.
DRIVERS = Path(os.environ.get("SWIFTSHADER_FOLDER", "/usr/lib/chromium"))
COMPARISON = Path(__file__).parent.parent / "accelerator_comparison.py"

BACKBONES = {
    "positions": {"use_positional_encoding": True},
    "3d": {"conv_type": "3d"},
    "mobilenet_v3_small": None,
}
MODELS = [*HEADS, *BACKBONES]


@pytest.fixture(scope="module")
def build(nano):
    """A function that builds a model by a name of MODELS."""

    def build(name):
        if name in HEADS:
            return nano(head=HEADS[name])
        if BACKBONES[name] is not None:
            return nano(backbone=BACKBONES[name])
        from grw_tf.models import build_model, preset

        return build_model(preset(name, size=32, frames=8, num_classes=5))

    return build


def _converted(model, target, frames_per_step=1):
    content = convert(StreamingNetwork(model, frames_per_step, "float32", target))
    return separate_outputs(content) if target == "gpu" else content


@pytest.mark.parametrize("name", slow_but(["official"], MODELS))
def test_both_targets_give_the_same_numbers_and_gpus_get_no_pattern(build, name):
    model = build(name)
    contents = [_converted(model, target) for target in ("cpu", "gpu")]
    assert not find_patterns(contents[1])
    frames = random_frames(20)
    cpu, gpu = (Rollout(content).logits(frames) for content in contents)
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-6 * np.abs(cpu).max())


@pytest.mark.slow
def test_steps_of_several_frames_have_no_pattern(nano):
    assert not find_patterns(_converted(nano(), "gpu", frames_per_step=3))


def test_counts_are_floats_and_the_type_of_frames_follows_the_target(nano):
    network = StreamingNetwork(nano(head=HEADS["mean"]), target="gpu")
    assert {s.dtype.name for s in network.state_specs().values()} == {"float32"}
    assert ExportConfig(target="gpu").frame_dtype == "float32"
    assert ExportConfig().frame_dtype == "uint8"
    assert ExportConfig(target="gpu").mode == "float16"
    with pytest.raises(ValueError, match="image_dtype is uint8: --target=gpu takes"):
        ExportConfig(target="gpu", image_dtype="uint8")
    with pytest.raises(ValueError, match="target is 'npu': it must be one of cpu, gpu"):
        ExportConfig(target="npu")
    with pytest.raises(ValueError, match="Unknown target 'npu'; known: cpu, gpu"):
        StreamingNetwork(nano(head=HEADS["mean"]), target="npu")


@pytest.fixture
def exported(nano, tmp_path, monkeypatch):
    """A function that exports a model for GPUs; returns path and report."""
    monkeypatch.setattr(exporting, "FRAMES", 30)
    monkeypatch.setattr(exporting, "_STREAMS", 1)

    def export(**fields):
        path = tmp_path / "model.tflite"
        config = ExportConfig(output=str(path), target="gpu", **fields)
        return path, export_run(Run(nano(), tuple(CLASSES), "ckpt"), config)

    return export


@pytest.mark.slow
def test_file_for_gpus_is_half_precision_and_has_nothing_known_to_fail(exported):
    _, report = exported()
    assert report.parity.passed
    assert report.quantization["mode"] == "float16"
    assert (report.target, report.delegate_findings) == ("gpu", ())
    assert "known to fail on GPUs" in report.table()


@pytest.mark.slow
def test_8_bits_for_gpus_are_refused_unless_asked_for(exported, tmp_path, caplog):
    message = "weights in 8 bits: .* Leave --quantization at auto, or .*allow_mismatch"
    with pytest.raises(ValueError, match=message):
        exported(quantization="weight_only")
    assert not list(tmp_path.iterdir())
    path, report = exported(quantization="weight_only", allow_mismatch=True)
    assert path.exists()
    assert [finding.rule for finding in report.delegate_findings] == ["byte_weights"]
    assert "GPU delegates are known to fail on" in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(
    not (DRIVERS / "libvk_swiftshader.so").exists(),
    reason="needs the software Vulkan driver of Debian's package chromium-common",
)
@pytest.mark.parametrize("name", MODELS)
def test_litert_gives_the_cpus_numbers_on_a_software_gpu(build, name, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(_converted(build(name), "gpu"))
    driver = tmp_path / "driver.json"
    library = DRIVERS / "libvk_swiftshader.so"
    driver.write_text(
        '{"file_format_version": "1.0.0", "ICD": {"api_version": "1.1.0",'
        f' "library_path": "{library}"}}}}'
    )
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(DRIVERS),
        "VK_ICD_FILENAMES": str(driver),
    }
    done = subprocess.run(
        [sys.executable, str(COMPARISON), str(path)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # LiteRT writes messages before it.
    assert float(done.stdout.splitlines()[-1]) < 1e-5
