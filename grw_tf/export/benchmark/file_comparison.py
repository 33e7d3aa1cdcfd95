"""Compares exported files: time, memory, size and XNNPACK partitions."""

import dataclasses
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.paired_timing import Ratio, Seconds, paired_ratio
from grw_tf.export.benchmark.file_stream import open_step, open_stream
from grw_tf.export.operations import step_partitions

STOCK = "stock"
_FRAME, _STEP, _NO_XNNPACK = "frame", "step", "step without XNNPACK"
_MEANINGS = {
    _FRAME: "a frame of bytes, as users push it",
    _STEP: "the computation alone",
    _NO_XNNPACK: "the computation alone, without XNNPACK",
}
# After another file has run, the processor's caches are full of it.
_UNTIMED = 2

_MEMORY_PROGRAM = """
import sys
import numpy as np
from grw_tf.export.benchmark.file_stream import open_stream, resident_bytes
bare = resident_bytes()
push, size, _ = open_stream(sys.argv[1])
frame = np.zeros((size, size, 3), np.uint8)
for _ in range(int(sys.argv[2])):
    push(frame)
assert "tensorflow" not in sys.modules
print(bare, resident_bytes())
"""


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """What to measure; each field is a flag.

    Raises:
        ValueError: At construction, for invalid values.
    """

    models: str = option("", "Exported files, separated by commas.")
    checkpoint_dir: str = option(
        "",
        "The MoViNet's training or checkpoint that the files came from: the Model"
        " Garden's own export of it is measured too, and is the reference of ratios;"
        " otherwise the first file is.",
    )
    frames: int = option(15, "Frames of a file in a turn.")
    rounds: int = option(20, "Turns of each file.")
    threads: str = option("1,2", "Numbers of threads, separated by commas.")
    json: bool = option(False, "Prints JSON in place of tables.")

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("models is empty: name files, as in --models=a,b.")
        check_positive(frames=self.frames, rounds=self.rounds)
        for count in self.thread_counts:
            check_positive(threads=count)

    @property
    def paths(self) -> list[str]:
        """The files."""
        return [path for path in self.models.split(",") if path]

    @property
    def thread_counts(self) -> list[int]:
        """The numbers of threads."""
        try:
            return [int(count) for count in self.threads.split(",")]
        except ValueError:
            raise ValueError(
                f"threads is {self.threads!r}: give numbers, as in --threads=1,2."
            ) from None


@dataclasses.dataclass(frozen=True)
class FileFigures:
    """Size and memory of a file.

    Attributes:
        megabytes: Its size, in 1e6 bytes.
        operations, partitions, outside: See `Partitions`.
        resident_megabytes: Resident memory of a process that streams it, in 1e6 bytes.
        bare_megabytes: The part of it that numpy and LiteRT had taken before.
    """

    megabytes: float
    operations: int
    partitions: int
    outside: int
    resident_megabytes: float
    bare_megabytes: float


@dataclasses.dataclass(frozen=True)
class Times:
    """Speed of a file.

    Attributes:
        file: Its name.
        threads: Number of threads.
        what: "frame", "step" or "step without XNNPACK".
        median_ms, p95_ms: Wall time of a frame.
        cpu_ms: Median CPU time of a frame, over all cores.
        ratio, cpu_ratio: Ratios of the rounds' medians to those of the reference file,
            by wall time and by CPU time.
    """

    file: str
    threads: int
    what: str
    median_ms: float
    p95_ms: float
    cpu_ms: float
    ratio: Ratio
    cpu_ratio: Ratio


def benchmark(config: BenchmarkConfig) -> tuple[dict[str, FileFigures], list[Times]]:
    """Measures files.

    Returns:
        (`FileFigures` by name, a list of `Times`).

    Raises:
        ValueError: For files that are not streaming models, or a checkpoint of another
            kind.
        OSError: For files that cannot be read.
    """
    paths = {path: path for path in config.paths}
    for path in paths:
        open_stream(path)
    with tempfile.TemporaryDirectory() as folder:
        if config.checkpoint_dir:
            paths = stock_exports(config.checkpoint_dir, Path(folder)) | paths
        figures = {name: file_figures(path) for name, path in paths.items()}
        ways = list(itertools.product(config.thread_counts, _MEANINGS))
        times = []
        for threads, what in tqdm.tqdm(ways, desc="Timing", unit="way"):
            times += _times(config, paths, threads, what)
    return figures, times


def stock_exports(checkpoint_dir: str, folder: Path) -> dict[str, str]:
    """Writes what stock tools make of a model, and returns the paths by name."""
    # They need TensorFlow, which devices lack that files are timed on.
    from grw_tf.export.benchmark.model_garden_export import convert_stock
    from grw_tf.weights.run_directory import load_best

    model = load_best(checkpoint_dir)
    paths = {}
    for name, dynamic in ((STOCK, False), (f"{STOCK}, dynamic", True)):
        path = folder / f"{name}.tflite"
        path.write_bytes(convert_stock(model, dynamic))
        paths[name] = str(path)
    return paths


def file_figures(path: str) -> FileFigures:
    """Measures a file's size and memory.

    Raises:
        OSError: If this system does not report a process's memory.
    """
    content = Path(path).read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY_PROGRAM, path, "50"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.splitlines() or ["it was killed"])[-1]
        raise OSError(f"The memory that {path} takes cannot be measured: {reason}.")
    bare, resident = (int(number) / 1e6 for number in done.stdout.split())
    return FileFigures(
        megabytes=len(content) / 1e6,
        resident_megabytes=resident,
        bare_megabytes=bare,
        **dataclasses.asdict(step_partitions(content)),
    )


def time_in_blocks(
    steps: Mapping[str, Callable[[], Any]], rounds: int, frames: int
) -> dict[str, Seconds]:
    """Times functions in turn, in another order each round.

    Other load on the machine then affects them alike. A turn has `frames` timed calls.
    Returns `Seconds` of arrays [rounds, frames] by name.
    """
    seconds = {name: np.zeros((2, rounds, frames)) for name in steps}
    random = np.random.default_rng(0)
    for turn in range(rounds):
        for name in random.permutation(list(steps)):
            step = steps[name]
            for _ in range(_UNTIMED):
                step()
            for index in range(frames):
                start = Seconds.now()
                step()
                seconds[name][:, turn, index] = Seconds.now() - start
    return {name: Seconds(*each) for name, each in seconds.items()}


def report(
    config: BenchmarkConfig, figures: Mapping[str, FileFigures], times: Sequence[Times]
) -> str:
    """Returns the results of `benchmark` as tables."""
    width = max(len(name) for name in [*figures, "file"]) + 2
    lines = [f"{'file':{width}}     MB  ops  parts  outside  resident MB"]
    for name, file in figures.items():
        lines.append(
            f"{name:{width}}{file.megabytes:7.2f}{file.operations:5}{file.partitions:7}"
            f"{file.outside:9}{file.resident_megabytes:13.1f}"
        )
    bare = np.median([file.bare_megabytes for file in figures.values()])
    lines.append(
        "Parts are what XNNPACK runs as a whole; ops outside are in none of them. A"
        f" process with numpy and LiteRT alone has {bare:.1f} MB resident."
    )
    first = next(iter(figures))
    lines += ["", f"{config.rounds} turns of {config.frames} frames, ratios to {first}"]
    for threads, what in dict.fromkeys((each.threads, each.what) for each in times):
        plural = "s" if threads > 1 else ""
        lines.append(f"{threads} thread{plural}, {_MEANINGS[what]}")
        lines.append(
            f"  {'':{width}}     ms     p95  ratio  95 % interval   CPU ms  ratio"
            "  95 % interval"
        )
        for each in times:
            if (each.threads, each.what) == (threads, what):
                lines.append(
                    f"  {each.file:{width}}{each.median_ms:7.2f}{each.p95_ms:8.2f}"
                    f"  {each.ratio}{each.cpu_ms:9.2f}  {each.cpu_ratio}"
                )
    return "\n".join(lines)


def as_dict(
    config: BenchmarkConfig, figures: Mapping[str, FileFigures], times: Sequence[Times]
) -> dict[str, Any]:
    """Returns the results of `benchmark` as a dict for JSON."""
    return {
        "settings": dataclasses.asdict(config),
        "cores": os.cpu_count(),
        "ratios_to": next(iter(figures)),
        "files": {name: dataclasses.asdict(file) for name, file in figures.items()},
        "times": [dataclasses.asdict(each) for each in times],
    }


def _times(config, paths, threads, what):
    timed = {name: _timed(path, threads, what) for name, path in paths.items()}
    seconds = time_in_blocks(
        {name: step for name, (step, _) in timed.items()}, config.rounds, config.frames
    )
    # Of a frame.
    seconds = {
        name: Seconds(each.wall / timed[name][1], each.cpu / timed[name][1])
        for name, each in seconds.items()
    }
    first = seconds[next(iter(paths))]
    return [
        Times(
            file=name,
            threads=threads,
            what=what,
            median_ms=1e3 * float(np.median(each.wall)),
            p95_ms=1e3 * float(np.quantile(each.wall, 0.95)),
            cpu_ms=1e3 * float(np.median(each.cpu)),
            ratio=_ratio(each.wall, first.wall),
            cpu_ratio=_ratio(each.cpu, first.cpu),
        )
        for name, each in seconds.items()
    ]


def _ratio(seconds, others):
    return paired_ratio(np.median(seconds, axis=1), np.median(others, axis=1))


def _timed(path, threads, what):
    """Returns a function to time, and its number of frames."""
    if what != _FRAME:
        return open_step(path, threads, xnnpack=what == _STEP)
    push, size, count = open_stream(path, threads)
    frames = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)

    def step():
        for frame in frames:
            push(frame)

    return step, count
