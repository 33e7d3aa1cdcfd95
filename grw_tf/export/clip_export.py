"""Exports a model that cannot be streamed as one checked TFLite file for clips."""

import dataclasses
import tempfile
from pathlib import Path

from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import text_table
from grw_tf.export.bundle import bundle
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.clip_parity import (
    ClipParity,
    check_clip_parity,
    file_logits,
    model_logits,
)
from grw_tf.export.conversion import convert_clips
from grw_tf.export.export_config import CPU, GRW_LAYOUT, ExportConfig
from grw_tf.export.judgement import judge_parity
from grw_tf.export.manifest import make_clip_manifest
from grw_tf.export.operations import Partitions, count_operations, step_partitions
from grw_tf.export.quantization.operation_recipes import quantize_layers
from grw_tf.export.quantization.quantize import AUTO, CALIBRATED, WEIGHTS
from grw_tf.export.report import graph_rows, short_name, write_report
from grw_tf.export.streams import drawn_streams, real_streams
from grw_tf.export.tflite_metadata import add_metadata
from grw_tf.weights.run_directory import Run

_CLIPS = 20
# From the smallest file to the largest.
_TRIED = ("dynamic", "weight_only", "float16", "none")


@dataclasses.dataclass(frozen=True)
class ClipReport:
    """What was exported.

    Attributes:
        file: Its name.
        quantization: Its `mode`, the precision of its `weights`, what was `asked`, and
            for auto why the smaller modes did not pass (`refused`).
        megabytes: Its size.
        operations: Number of operations of each kind in its graph.
        partitions: How XNNPACK divides the graph.
        parity: Comparison with the model.
    """

    file: str
    quantization: dict
    megabytes: float
    operations: dict[str, int]
    partitions: Partitions
    parity: ClipParity

    def to_dict(self) -> dict:
        """Returns the report as a dict for JSON."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """Returns the report as text."""
        parity, regret = self.parity, self.parity.regret
        rows = (
            ("classifies", f"clips of {parity.frames} frames, not streams"),
            ("size", f"{self.megabytes:.2f} MB"),
            ("quantization", self.quantization["mode"]),
            *graph_rows(self.operations, self.partitions),
            ("ms a clip, one thread", f"{parity.milliseconds:.1f}"),
            ("compared", f"{parity.count} {parity.clips} clips"),
            ("largest logit", f"{parity.largest_logit:.3g}"),
            ("largest difference", f"{parity.largest_difference:.1e} of it"),
            ("agreement", f"{regret.agreement:.2%}"),
            ("cost of other choices", f"{regret.mean_regret:.4f} on average"),
        )
        return text_table(rows, "<")


def export_clips(run: Run, config: ExportConfig) -> ClipReport:
    """Converts a model, compares the file with it, and writes file and report.

    For auto, the modes are tried from the smallest file to the largest, until one gives
    the model's numbers.

    Raises:
        ValueError: If the model cannot be exported as asked, or the file does not give
            its numbers (unless `allow_mismatch`). Nothing is written then.
        OSError: If something cannot be read or written.
    """
    _check(run, config)
    thresholds = run.thresholds(config.thresholds)
    network = ClipNetwork(run.model, config.frame_dtype)
    kind, clips = _clips(run, config)
    print(f"Converting ({config.quantization}).", flush=True)
    floats = convert_clips(network)
    expected = model_logits(run.model, clips)
    manifest = make_clip_manifest(network, thresholds) | {
        "training_run": {"checkpoint": short_name(run.checkpoint)},
    }
    output, name = Path(config.output), run.model.config.backbone.model_id
    modes = _TRIED if config.quantization == AUTO else (config.quantization,)
    refused = {}
    with replacing(output) as unfinished, tempfile.TemporaryDirectory() as folder:
        converted = None
        if modes != ("none",):
            path = Path(folder) / "float32.tflite"
            path.write_bytes(bundle(floats, run.class_names, manifest))
            converted, _ = file_logits(path, clips)
        for mode in modes:
            content = floats if mode == "none" else quantize_layers(floats, mode)
            content = add_metadata(content, name)
            unfinished.write_bytes(bundle(content, run.class_names, manifest))
            parity = check_clip_parity(
                unfinished, run.model, expected, converted, clips, kind, mode
            )
            if parity.passed or mode == modes[-1]:
                break
            refused[mode] = parity.failures
        report = ClipReport(
            file=output.name,
            quantization={
                "mode": mode,
                "weights": WEIGHTS[mode],
                "asked": config.quantization,
                "refused": refused,
            },
            megabytes=len(content) / 1e6,
            operations=count_operations(content),
            partitions=step_partitions(content),
            parity=parity,
        )
        judge_parity(report, config.allow_mismatch)
        manifest |= report.to_dict()
        unfinished.write_bytes(bundle(content, run.class_names, manifest))
    write_report(output, report)
    return report


def _check(run, config):
    """Raises a ValueError for what files of clips do not have."""
    model_id = run.model.config.backbone.model_id
    for flag, value, known in (
        ("frames_per_step", config.frames_per_step, 1),
        ("target", config.target, CPU),
        ("layout", config.layout, GRW_LAYOUT),
    ):
        if value != known:
            raise ValueError(
                f"--{flag}={value} is for stream models, and {model_id} sees later"
                f" frames: its file takes whole clips. Leave out --{flag}."
            )
    if config.quantization in CALIBRATED:
        raise ValueError(
            f"--quantization={config.quantization} is for stream models, and"
            f" {model_id} sees later frames: use {AUTO}, or {', '.join(_TRIED[:-1])}"
            " or none."
        )


def _clips(run, config):
    """Returns the kind of clips, and clips uint8 [frames, size, size, 3]."""
    model_config = run.model.config
    source = config.clips or run.validation_records
    frames = model_config.frames
    if source:
        return "real", real_streams(source, run.clip_config, _CLIPS, frames=frames)
    return "drawn", drawn_streams(model_config, _CLIPS, frames)
