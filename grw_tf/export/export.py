"""Exports a trained model as one checked TFLite file."""

import dataclasses
import logging
import os
import tempfile
from pathlib import Path

from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import text_table
from grw_tf.export.bundle import bundle
from grw_tf.export.clip_export import ClipReport, export_clips
from grw_tf.export.conversion import convert
from grw_tf.export.delegate_rules import Finding, find_patterns
from grw_tf.export.export_config import ExportConfig
from grw_tf.export.judgement import judge_parity
from grw_tf.export.manifest import make_manifest
from grw_tf.export.operations import Partitions, count_operations, step_partitions
from grw_tf.export.own_outputs import separate_outputs
from grw_tf.export.parity import Parity, check_parity
from grw_tf.export.quantization.quantize import AUTO, CALIBRATED, quantize
from grw_tf.export.report import graph_rows, short_name, write_report
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.streams import FRAMES, drawn_streams, real_streams
from grw_tf.export.tensorflow_examples import (
    FEWEST_CLASSES,
    FPS,
    LABEL_FILE,
    LAYOUT,
    check_layout,
    to_layout,
)
from grw_tf.export.tflite_metadata import add_metadata
from grw_tf.weights.run_directory import Run, read_run

_STREAMS = 3
_CALIBRATION_STREAMS = 2


@dataclasses.dataclass(frozen=True)
class Report:
    """What was exported.

    Attributes:
        file: Its name.
        quantization: Its mode and the precision of each part, by `quantize`.
        megabytes: Its size.
        operations: Number of operations of each kind in its graph.
        partitions: How XNNPACK divides the graph.
        parity: Comparison with the model.
        target: What the file is for.
        delegate_findings: What in it GPU delegates are known to fail on.
    """

    file: str
    quantization: dict
    megabytes: float
    operations: dict[str, int]
    partitions: Partitions
    parity: Parity
    target: str
    delegate_findings: tuple[Finding, ...]

    def to_dict(self) -> dict:
        """Returns the report as a dict for JSON."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """Returns the report as text."""
        parity, regret = self.parity, self.parity.regret
        rows = (
            ("size", f"{self.megabytes:.2f} MB"),
            ("quantization", _quantization_text(self.quantization)),
            *_float_operations_rows(self.quantization),
            *graph_rows(self.operations, self.partitions),
            ("known to fail on GPUs", _findings_text(self.delegate_findings)),
            ("ms a frame, one thread", f"{parity.milliseconds:.2f}"),
            ("replayed", f"{parity.streams} x {parity.frames} {parity.clips} frames"),
            ("largest logit", f"{parity.largest_logit:.3g}"),
            ("largest difference", f"{parity.largest_difference:.1e} of it"),
            ("clip against stream", f"{parity.clip_difference:.1e} of it"),
            ("agreement", f"{regret.agreement:.2%}"),
            ("agreement at the end", f"{regret.late_agreement:.2%}"),
            (
                "cost of other choices",
                f"{regret.mean_regret:.4f} on average, {regret.regret_99:.3f} at the"
                " 99th percentile",
            ),
        )
        return text_table(rows, "<")


def export(config: ExportConfig) -> Report | ClipReport:
    """Exports a training's best model; see `export_run`."""
    _check_output(Path(config.output))
    run = read_run(config.checkpoint_dir, config.labels, config.classes)
    return export_run(run, config)


def export_run(run: Run, config: ExportConfig) -> Report | ClipReport:
    """Converts a model, compares the file with it, and writes file and report.

    A causal model's file classifies streams, that of another whole clips.

    Raises:
        ValueError, OSError: As `export_streams`.
    """
    if run.model.config.backbone.causal:
        return export_streams(run, config)
    _check_output(Path(config.output))
    return export_clips(run, config)


def export_streams(run: Run, config: ExportConfig) -> Report:
    """Exports a causal model, as `export_run`.

    The report is in the file too, and in `export_report.json` beside it, which holds
    the report of the folder's last export. The layout of TensorFlow's samples also has
    its label file beside it.

    Raises:
        ValueError: If the model cannot be exported as asked, or the file does not give
            its numbers or has what its target fails on (unless `allow_mismatch`).
            Nothing is written then.
        OSError: If something cannot be read or written.
    """
    output = Path(config.output)
    _check_output(output)
    if config.layout == LAYOUT:
        _check_samples(run)
    thresholds = run.thresholds(config.thresholds)
    network = StreamingNetwork(
        run.model, config.frames_per_step, config.frame_dtype, config.target
    )
    calibrated = config.mode in CALIBRATED
    # Before the conversion, which takes a long time.
    calibration = _calibration_streams(run, config) if calibrated else None
    kind, streams = _parity_streams(run, config)
    print(f"Converting ({config.mode}).", flush=True)
    floats = convert(network)
    quantized = quantize(
        floats, config.mode, calibration or streams, thresholds=thresholds
    )
    mode = quantized.report["mode"]
    content, floats = (
        _finish(model, run, config) for model in (quantized.content, floats)
    )
    manifest = make_manifest(network, content, thresholds) | {
        "quantization": quantized.report,
        "training_run": {"checkpoint": short_name(run.checkpoint)},
    }
    names = run.class_names
    with replacing(output) as unfinished, tempfile.TemporaryDirectory() as folder:
        unfinished.write_bytes(bundle(content, names, manifest))
        float_path = Path(folder) / "float32.tflite"
        float_manifest = make_manifest(network, floats, thresholds)
        float_path.write_bytes(bundle(floats, names, float_manifest))
        parity = check_parity(
            unfinished,
            run.model,
            streams,
            kind,
            mode,
            float_path if mode != "none" else None,
        )
        report = Report(
            file=output.name,
            quantization=quantized.report,
            megabytes=len(content) / 1e6,
            operations=count_operations(content),
            partitions=step_partitions(content),
            parity=parity,
            target=config.target,
            delegate_findings=find_patterns(content),
        )
        _judge(report, config.allow_mismatch)
        manifest |= report.to_dict()
        unfinished.write_bytes(bundle(content, names, manifest))
    if config.layout == LAYOUT:
        with replacing(output.parent / LABEL_FILE) as unfinished:
            unfinished.write_text("\n".join(names) + "\n", encoding="utf-8")
    write_report(output, report)
    return report


def _judge(report, allow_mismatch):
    """Raises a `ValueError`, or warns, if a file is not what its target needs."""
    if report.target == "gpu" and report.delegate_findings:
        _judge_patterns(report, allow_mismatch)
    judge_parity(report, allow_mismatch)


def _judge_patterns(report, allow_mismatch):
    patterns = "; ".join(
        f"{finding.meaning} ({finding.count} times, as at {finding.places[0]})"
        for finding in report.delegate_findings
    )
    if not allow_mismatch:
        print(report.table(), flush=True)
        raise ValueError(
            "The file has what GPU delegates are known to fail on, and was not written:"
            f" {patterns}. Leave --quantization at {AUTO}, or write it with"
            " --allow_mismatch."
        )
    logging.warning(
        "%s has what GPU delegates are known to fail on: %s", report.file, patterns
    )


def _findings_text(findings):
    """Returns the number of patterns known to fail, and what they are."""
    if not findings:
        return "nothing"
    return ", ".join(f"{finding.count} {finding.rule}" for finding in findings)


def _finish(content, run, config):
    """Returns a quantized model as the file's target and layout want it."""
    if config.target == "gpu":
        content = separate_outputs(content)
    if config.layout == LAYOUT:
        content = to_layout(content)
    return add_metadata(content, run.model.config.backbone.model_id)


def _check_samples(run):
    """Raises a `ValueError`, or warns, if the sample apps cannot run a model."""
    config = run.model.config
    check_layout(config)
    if config.fps != FPS:
        logging.warning(
            "The sample apps feed %g frames a second, and this model was trained on %g:"
            " change that in the app.",
            FPS,
            config.fps,
        )
    if config.num_classes < FEWEST_CLASSES:
        logging.warning(
            "The Android sample shows %d classes, and crashes with the %d of this"
            " model: show fewer.",
            FEWEST_CLASSES,
            config.num_classes,
        )


def _quantization_text(report):
    """Returns the mode, and how many layers are more precise than it says."""
    layers = report.get("layers", [])
    if not layers:
        return report["mode"]
    return f"{report['mode']}, {len(layers)} layers {layers[0]['precision']}"


def _float_operations_rows(report):
    """Returns a row on what is left in float32, if the mode is to compute without."""
    if "float_operations" not in report:
        return ()
    left = report["float_operations"]
    return (("float operations", f"{len(left)}, at the ends: {', '.join(left)}"),)


def _parity_streams(run, config):
    """Returns the kind of clips, and streams of clips that calibration did not use."""
    part = (1, 2) if config.mode in CALIBRATED else (0, 1)
    streams = _real_streams(run, config, run.validation_records, _STREAMS, part)
    if streams is not None:
        return "real", streams
    return "drawn", drawn_streams(run.model.config, _STREAMS, _frames(run, config))


def _calibration_streams(run, config):
    count = _CALIBRATION_STREAMS
    streams = _real_streams(run, config, run.train_records, count, (0, 2))
    if streams is None:
        raise ValueError(
            f"--quantization={config.mode} is calibrated on clips, and the training's"
            " clips are not available: give --clips, a folder of class folders of"
            " videos or records."
        )
    return streams


def _real_streams(run, config, records, count, part):
    """Returns streams of a part of `clips`, or else of all records, if any."""
    clips, part = (config.clips, part) if config.clips else (records, (0, 1))
    frames = _frames(run, config)
    return real_streams(clips, run.clip_config, count, part, frames) if clips else None


def _frames(run, config):
    """Returns the length of a stream: whole steps, and at least a clip."""
    step = config.frames_per_step
    return -(-max(FRAMES, run.model.config.frames) // step) * step


def _check_output(output):
    if output.suffix != ".tflite":
        raise ValueError(f"--output={output}: name a .tflite file.")
    if output.is_dir() or not output.parent.is_dir():
        what = "is a folder" if output.is_dir() else "is in a missing folder"
        raise OSError(f"--output={output} {what}: give a file's path.")
    if not os.access(output.parent, os.W_OK):
        raise OSError(f"--output={output}: {output.parent} cannot be written to.")
