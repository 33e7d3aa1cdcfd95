"""Times the input pipeline against a training step on the same clips.

    python -m scripts.benchmark_input
    python -m scripts.benchmark_input --model_id=a0 --frames=16 --size=112

Videos of ten seconds are drawn and prepared in a temporary folder. The pipeline is read
alone, as in training, on one and on two threads. The step is that of this project's
model with the official head. They are timed in turn in one process.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import av
import numpy as np
import tensorflow as tf

from grw_tf.common import flags, paired_timing, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.text_table import text_table
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.prepare import prepare
from grw_tf.models import block_specs, presets
from grw_tf.training import step_timing
from grw_tf.training.tasks.video_classification import Task
from scripts.moving_picture import draw_video

SECONDS = 10
THREADS = (1, 2)
STEP = "training step"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to time. Each field is a flag."""

    model_id: str = option("a0", "ID of the MoViNet.")
    causal: bool = option(
        True, "Whether to time the stream model instead of the base model."
    )
    size: int = option(0, "Pixels of a frame. 0: those of the model.")
    frames: int = option(0, "Frames of a clip. 0: those of the model.")
    short_side: int = option(256, "Pixels of the short side of the frames in records.")
    videos: int = option(16, "Videos to draw.")
    batch_size: int = option(4, "Clips per step.")
    batches: int = option(8, "Batches to read per round.")
    rounds: int = option(5, "Number of timings of each.")


def write_video(
    path: pathlib.Path, short_side: int, fps: float, rng: np.random.Generator
) -> None:
    """Draws and encodes a video of ten seconds."""
    height, width = short_side // 2 * 2, short_side * 16 // 9 // 2 * 2
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=round(fps), bit_rate=4_000_000)
        (stream.width, stream.height), stream.pix_fmt = (width, height), "yuv420p"
        for shown in draw_video(round(SECONDS * fps), height, width, rng):
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_records(folder: pathlib.Path, options: Options, fps: float) -> str:
    """Draws and prepares videos of two classes, and returns the pattern of records."""
    rng = np.random.default_rng(0)
    for index in range(options.videos):
        path = folder / "videos" / "train" / "ab"[index % 2] / f"{index}.mp4"
        write_video(path, options.short_side, fps, rng)
    prepare(
        PreparationConfig(
            input=str(folder / "videos"),
            output_dir=str(folder / "records"),
            fps=fps,
            short_side=options.short_side,
            workers=1,
        )
    )
    return f"{folder}/records/train-*"


def on_threads(dataset: tf.data.Dataset, threads: int) -> tf.data.Dataset:
    """Returns a dataset that uses a number of threads."""
    limits = tf.data.Options()
    limits.threading.private_threadpool_size = threads
    limits.threading.max_intra_op_parallelism = 1
    return dataset.with_options(limits)


def seconds_a_clip(options: Options) -> dict[str, np.ndarray]:
    """Returns the seconds per clip of each round, by name of what was timed.

    Raises:
        ValueError: If an option is invalid.
    """
    block_specs.check_model_id(options.model_id)
    check_positive(
        short_side=options.short_side,
        batch_size=options.batch_size,
        batches=options.batches,
        rounds=options.rounds,
    )
    if options.videos < 2:
        raise ValueError(f"videos is {options.videos}: two classes need at least 2.")
    official = presets.official_config(options.model_id, options.causal)
    config = dataclasses.replace(
        official,
        num_classes=2,
        size=options.size or official.size,
        frames=options.frames or official.frames,
    )
    with tempfile.TemporaryDirectory() as folder:
        records = write_records(pathlib.Path(folder), options, config.fps)
        params = step_timing.experiment_of(config).task
        params.train_data.override(
            {"input_path": records, "global_batch_size": options.batch_size}
        )
        dataset = Task(params).build_inputs(params.train_data)
        batch = next(iter(dataset))
        reads = {
            f"input, threads: {threads}": step_timing.read_of(
                on_threads(dataset, threads), options.batches
            )
            for threads in THREADS
        }
        step = step_timing.step_of(step_timing.own_trainer(config, batch))
        seconds = paired_timing.time_in_turn(reads | {STEP: step}, options.rounds)
    batches = dict.fromkeys(reads, options.batches) | {STEP: 1}
    return {
        name: values.wall / (batches[name] * options.batch_size)
        for name, values in seconds.items()
    }


def report(seconds: Mapping[str, np.ndarray]) -> str:
    """Returns a table with a line for each name."""
    rows: list[tuple] = [("", "clips/s", "times the step's, median and 95 % interval")]
    for name, values in seconds.items():
        ratio = paired_timing.paired_ratio(seconds[STEP], values)
        clips = f"{1 / np.median(values):.2f}"
        rows.append((name, clips, "" if name == STEP else ratio))
    return text_table(rows, "<><")


def main(_: Sequence[str]) -> None:
    """Times and reports."""
    print(report(seconds_a_clip(flags.config_from_flags(Options))))


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
