"""Checks that an exported file gives the numbers of its model, frame by frame."""

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext

import numpy as np
import tensorflow as tf
import tf_keras
import tqdm

from grw_tf.export.regret import Regret, regret_of
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.models import StreamingModel
from grw_tf.streaming import StreamSession

LARGEST_DIFFERENCE = {"none": 1e-4, "float16": 1e-2}
"""Limits of differences of logits, relative to the largest, by quantization."""

LARGEST_8_BIT_DIFFERENCE = 0.5
"""The limit in 8 bits, for models whose likeliest class never changes.

Otherwise what the file's choices cost is what counts (`Regret`).
"""

_REPLAYED_FRAMES = 8
# Difference by rounding.
_LEVELS = 1


@dataclasses.dataclass(frozen=True)
class Parity:
    """Comparison of a file with its model.

    Attributes:
        streams, frames: Number of replayed streams, and length of each.
        clips: "real" or "drawn".
        largest_logit: The streaming model's largest absolute logit.
        clip_difference: Difference between the logits of the clip model and the
            streaming model for the first frames of each stream. All differences of
            logits are relative to largest_logit.
        conversion_difference: Difference between the logits of the streaming model and
            the file before quantization.
        largest_difference: Difference between the logits of the streaming model and the
            file.
        regret: How the file's choices of class compare with the model's.
        reset_difference: Difference between the file's logits at first and after a
            reset.
        preparation_difference: Difference between frames as prepared by the file's
            runtime and in evaluation, in levels of 255.
        milliseconds: Median time of the file for a frame, with one thread.
        passed: Whether all values are within the limits.
        failures: Values beyond the limits, in words.
    """

    streams: int
    frames: int
    clips: str
    largest_logit: float
    clip_difference: float
    conversion_difference: float
    largest_difference: float
    regret: Regret
    reset_difference: float
    preparation_difference: int
    milliseconds: float
    passed: bool
    failures: tuple[str, ...]


def check_parity(
    path: str | os.PathLike,
    model: tf_keras.Model,
    streams: Sequence[np.ndarray],
    clips: str,
    quantization: str,
    float_path: str | os.PathLike | None = None,
) -> Parity:
    """Replays streams through the clip model, the streaming model and the file.

    Args:
        path: An exported file.
        model: The model that the file was exported from.
        streams: Each uint8 [frames, size, size, 3], at least as long as the model's
            clips.
        clips: "real" or "drawn", the kind of the streams.
        quantization: The file's quantization, which says what is limited: differences
            for floats, otherwise regret.
        float_path: The file before quantization, to detect wrong conversions, which
            regret alone may miss; by default the same file.
    """
    reference = _Reference(model)
    rows, times = [], []
    float_session = StreamSession(float_path) if float_path else nullcontext()
    with StreamSession(path) as session, float_session as floats:
        step, thresholds = session.frames_per_step, session.thresholds
        preparation_difference = compare_preparation(
            session.geometry, model.config.frame_geometry
        )
        for stream in tqdm.tqdm(streams, desc="Comparing streams", unit="stream"):
            stream = stream[: len(stream) // step * step]
            expected = reference.stream(stream)
            at_clip = expected[model.config.frames - 1]
            actual, seconds = _file_logits(session, stream)
            times.append(seconds)
            replayed, _ = _file_logits(session, stream[: _REPLAYED_FRAMES * step])
            converted = _file_logits(floats, stream)[0] if floats else actual
            rows.append(
                (
                    expected[step - 1 :: step],
                    actual,
                    converted,
                    np.abs(reference.clip(stream) - at_clip).max(),
                    np.abs(replayed - actual[: len(replayed)]).max(),
                )
            )
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    numbers = _compare(*columns)
    numbers["preparation_difference"] = preparation_difference
    regret = regret_of(columns[0], columns[1], thresholds)
    failures = tuple(_failures(numbers, regret, quantization))
    return Parity(
        streams=len(rows),
        frames=rows[0][1].shape[0] * step,
        clips=clips,
        **numbers,
        regret=regret,
        milliseconds=float(np.median(times) * 1e3 / step),
        passed=not failures,
        failures=failures,
    )


class _Reference:
    """The model's logits of clips and of streams."""

    def __init__(self, model):
        self._model = model
        self._stream = StreamingModel(model)
        self._step = tf.function(self._classified_step, autograph=False)

    def clip(self, frames):
        """Returns the logits [classes] of the first frames as a clip."""
        clip = frames[: self._model.config.frames]
        return self._model(tf.constant(clip[None], tf.float32) / 255)[0].numpy()

    def stream(self, frames):
        """Returns the logits [frames, classes] after each frame."""
        states = self._stream.initial_states()
        logits = []
        for frame in frames:
            after, states = self._step(tf.constant(frame), states)
            logits.append(after[0].numpy())
        return np.stack(logits)

    def _classified_step(self, frame, states):
        image = tf.cast(frame, tf.float32)[None, None] / 255
        logits, states = self._stream.step(image, states)
        return self._stream.classify(states) if logits is None else logits, states


def _file_logits(session, frames):
    """Returns the file's logits [steps, classes] after each step, and their seconds."""
    session.reset()
    logits, seconds = [], []
    step = session.frames_per_step
    for first in range(0, len(frames), step):
        start = time.perf_counter()
        for frame in frames[first : first + step]:
            session.push_prepared(frame)
        logits.append(session.logits())
        seconds.append(time.perf_counter() - start)
    return np.stack(logits), seconds


def _compare(expected, actual, converted, clip_differences, reset_differences):
    """Compares logits [streams, steps, classes], in units of the largest."""
    scale = largest_logit(expected)
    numbers = {
        "largest_logit": scale,
        "clip_difference": clip_differences.max() / scale,
        "conversion_difference": np.abs(converted - expected).max() / scale,
        "largest_difference": np.abs(actual - expected).max() / scale,
        "reset_difference": reset_differences.max() / scale,
    }
    return {name: float(value) for name, value in numbers.items()}


def largest_logit(logits: np.ndarray) -> float:
    """Returns the largest absolute logit of a model.

    Raises:
        ValueError: If nothing can be compared with it.
    """
    largest = float(np.abs(logits).max())
    if not largest > 0 or not np.isfinite(largest):
        raise ValueError(
            f"The model's largest logit is {largest}: its weights are broken or were"
            " never trained, and no file can be compared with it."
        )
    return largest


def compare_preparation(in_file: FrameGeometry, geometry: FrameGeometry) -> int:
    """Compares how a file and its model prepare wide, tall and small frames, in levels.

    Args:
        in_file: The file's geometry.
        geometry: The model's.
    """
    rng = np.random.default_rng(0)
    prepare = FramePreparation(in_file)
    size, largest = geometry.size, 0
    for shape in (
        (2 * size + 1, 3 * size + 2, 3),
        (3 * size + 1, 2 * size + 1, 3),
        (size // 2 + 1, size, 3),
    ):
        frame = rng.integers(0, 256, shape, np.uint8)
        difference = prepare(frame).astype(int) - prepare_frame(frame, geometry)
        largest = max(largest, int(np.abs(difference).max()))
    return largest


def _failures(numbers, regret, quantization):
    yield from preparation_failures(numbers["preparation_difference"])
    exact = LARGEST_DIFFERENCE["none"]
    for name, limit, what in (
        ("clip", exact, "the streaming model differs from the clip model"),
        ("reset", 0, "after a reset the file gives other logits, which differ"),
    ):
        yield from difference_failures(numbers[f"{name}_difference"], limit, what)
    yield from file_failures(numbers, regret, quantization)


def preparation_failures(levels: int) -> Iterator[str]:
    """Yields, in words, that frames are prepared differently, if they are."""
    if levels > _LEVELS:
        yield (
            "the file prepares frames differently from training: they differ by"
            f" {levels} of 255 levels"
        )


def file_failures(
    numbers: Mapping[str, float], regret: Regret, quantization: str
) -> Iterator[str]:
    """Yields what in a file's logits is beyond the limits, in words.

    Args:
        numbers: `conversion_difference` and `largest_difference`, as in `Parity`.
        regret: How the file's choices compare with the model's.
        quantization: The file's quantization.
    """
    if quantization != "none":
        yield from difference_failures(
            numbers["conversion_difference"],
            LARGEST_DIFFERENCE["none"],
            "before it was quantized the file differed from the model",
        )
    yield from difference_failures(
        numbers["largest_difference"],
        LARGEST_DIFFERENCE.get(quantization, LARGEST_8_BIT_DIFFERENCE),
        "the file differs from the model",
    )
    if quantization not in LARGEST_DIFFERENCE:
        yield from regret.failures()


def difference_failures(difference: float, limit: float, what: str) -> Iterator[str]:
    """Yields, in words, that logits differ by more than a limit, if they do."""
    # Written so that NaN fails, too.
    if not difference <= limit:
        yield f"{what} by {difference:.1e} of the largest logit (limit {limit:.0e})"
