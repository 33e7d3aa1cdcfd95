"""Trains without and with GRW smoothing, compares, exports and streams: one command.

    grw-demo
    grw-demo --clips=DIR --init_checkpoint=movinet_a0_stream

The first draws 2500 videos of an airplane that turns, trains two small stream MoViNets
on 1000 of them, and tests them on the others. The second takes your videos, a folder of
class folders, and fine-tunes two A0 stream models. Both leave their figures, table,
report and exported model in --output_dir. If the command is killed, rerun it: it
resumes.
"""

import dataclasses
import shlex
import sys
from pathlib import Path

import yaml
from official.core.train_utils import ParseConfigOptions

from grw_tf.common import flags, programs
from grw_tf.common.flags import option
from grw_tf.common.replacing import replacing
from grw_tf.comparison.compare import compare
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.findings import Findings
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.own_clips import own_clips_settings
from grw_tf.comparison.picture import draw_embeddings, draw_training
from grw_tf.comparison.plan import Plan
from grw_tf.comparison.preflight import make_plan
from grw_tf.comparison.report import HTML_FILE, summarize
from grw_tf.export.export import ExportConfig, export_streams
from grw_tf.streaming import StreamSession
from grw_tf.training.experiments.config_files import shipped_configs
from grw_tf.weights.run_directory import read_run

_AIRPLANES, _CLIPS = "airplanes", "clips"
_AIRPLANES_STEPS = 40  # An epoch of 1000 videos.


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Settings of the demo; each is a flag."""

    clips: str = option(
        "", "Folder of class folders of videos; empty draws airplanes instead."
    )
    init_checkpoint: str = option(
        "",
        "With --clips, the checkpoint to start from: a name, such as movinet_a0_stream,"
        " or a path; empty starts from random weights.",
    )
    output_dir: str = option(
        "", "Folder of all results; the default is runs/airplanes or runs/clips."
    )
    epochs: int = option(0, "Passes over the training clips; 0: 8 airplanes, 5 clips.")
    frames: int = option(12, "With --clips, frames of a clip.")
    fps: float = option(10.0, "With --clips, frames a second of a clip.")
    size: int = option(112, "With --clips, height and width of a frame, in pixels.")
    batch_size: int = option(8, "With --clips, clips in a batch.")
    experiment: str = option(
        "movinet_a0_stream", "With --clips, the model: a stream one of grw-train."
    )
    params_override: str = option(
        "", "Further keys of the experiment, as for grw-train."
    )


def define_flags() -> None:
    flags.define_flags(DemoConfig)


def prepare(config: DemoConfig) -> Plan:
    """Makes the data, and plans the comparison."""
    name = _CLIPS if config.clips else _AIRPLANES
    folder = Path(config.output_dir or f"runs/{name}")
    if config.clips:
        base, experiment, smoothed = "own_clips", config.experiment, "grw"
        settings, test_records = own_clips_settings(
            config.clips,
            folder / "records",
            frames=config.frames,
            fps=config.fps,
            size=config.size,
            epochs=config.epochs or 5,
            batch_size=config.batch_size,
            init_checkpoint=config.init_checkpoint,
        )
    else:
        base, experiment, smoothed = _AIRPLANES, "movinet_a0_stream", "grw_mean"
        settings, test_records = _airplanes(config.epochs), ""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "settings.yaml") as unfinished:
        unfinished.write_text(yaml.safe_dump(settings))
    options = ParseConfigOptions(
        experiment=experiment,
        config_file=[
            str(shipped_configs()[base]),
            str(folder / "settings.yaml"),
        ],
        params_override=config.params_override,
    )
    comparison = ComparisonConfig(
        variants=f"{BASELINE},{smoothed}",
        seeds=1,
        output_dir=str(folder),
        test_records=test_records,
        quantization="",
        timing_rounds=0,
    )
    return make_plan(options, comparison)


def _airplanes(epochs):
    if not epochs:
        return {}
    steps = epochs * _AIRPLANES_STEPS
    warmup = {"linear": {"warmup_steps": steps // 10}}
    return {
        "trainer": {
            "train_steps": steps,
            "validation_interval": steps,
            "checkpoint_interval": min(steps, 3 * _AIRPLANES_STEPS),
            "optimizer_config": {"warmup": warmup},
        }
    }


def finish(plan: Plan, findings: Findings, name: str) -> None:
    """Draws, exports and streams what a finished comparison has trained."""
    folder = plan.folder
    draw_embeddings(plan, folder / f"{name}.png")
    draw_training(plan, folder / "learning_curves.png")
    (folder / "table.txt").write_text(f"{summarize(findings)}\n")
    model = folder / "model.tflite"
    smoothed = plan.run(plan.variants[1], plan.seeds[0])
    config = ExportConfig(output=str(model), quantization="none")
    parity = export_streams(read_run(smoothed.folder), config).parity
    print(
        f"Streamed frame by frame, {model} gives the model's logits to"
        f" {parity.largest_difference:.1e} of the largest, over {parity.streams} x"
        f" {parity.frames} frames; {parity.milliseconds:.2f} ms a frame, one thread."
    )
    stream(plan, model)
    print(
        f"{folder} has {name}.png, learning_curves.png, table.txt, {HTML_FILE} and"
        f" {model.name}."
    )


def stream(plan: Plan, model: Path) -> None:
    """Prints what an exported model says of each frame of the first test clip."""
    clips = plan.test_clips.open(plan.baseline.config, progress=False).clips({0})
    clip = next(clips)
    print(f"A test clip of {plan.class_names[clip.label]!r}, frame by frame:")
    with StreamSession(model) as session:
        for number, frame in enumerate(clip.frames, start=1):
            session.push_prepared(frame)
            told = "  ".join(f"{label} {share:.2f}" for label, share in session.top(3))
            print(f"{number:>4}  {told}")


def main(_: list[str]) -> None:
    config = flags.config_from_flags(DemoConfig)
    command = f"{programs.called_as('grw-demo')} {shlex.join(sys.argv[1:])}".strip()
    plan = prepare(config)
    findings = compare(plan, command)
    if failures := findings.failures():
        sys.exit("\n".join(["Some runs failed:", *failures]))
    finish(plan, findings, _CLIPS if config.clips else _AIRPLANES)
