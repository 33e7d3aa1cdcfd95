"""Checks that an exported file gives the numbers of its model, clip by clip."""

import dataclasses
import os
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras
import tqdm

from grw_tf.export.parity import (
    compare_preparation,
    file_failures,
    largest_logit,
    preparation_failures,
)
from grw_tf.export.regret import Regret, regret_of
from grw_tf.streaming import ClipClassifier
from grw_tf.streaming.exported_file import read_clip_file


@dataclasses.dataclass(frozen=True)
class ClipParity:
    """Comparison of a file that classifies clips with its model.

    Attributes:
        count, frames: Number of clips, and length of each.
        clips: "real" or "drawn".
        largest_logit: The model's largest absolute logit.
        conversion_difference: Difference between the logits of the model and the file
            before quantization. All differences of logits are relative to
            largest_logit.
        largest_difference: Difference between the logits of the model and the file.
        regret: How the file's choices of class compare with the model's.
        preparation_difference: Difference between frames as prepared by the file's
            runtime and in evaluation, in levels of 255.
        milliseconds: Median time of the file for a clip, with one thread.
        passed: Whether all values are within the limits.
        failures: Values beyond the limits, in words.
    """

    count: int
    frames: int
    clips: str
    largest_logit: float
    conversion_difference: float
    largest_difference: float
    regret: Regret
    preparation_difference: int
    milliseconds: float
    passed: bool
    failures: tuple[str, ...]


def model_logits(model: tf_keras.Model, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Returns a model's logits [clips, classes].

    Args:
        model: A model of `build_model`.
        clips: Each uint8 [frames, size, size, 3].
    """

    @tf.function(autograph=False)
    def classify(clip):
        return model(tf.cast(clip, tf.float32)[None] / 255, training=False)[0]

    return np.stack(
        [
            classify(tf.constant(clip)).numpy()
            for clip in tqdm.tqdm(clips, desc="Running the model", unit="clip")
        ]
    )


def file_logits(
    path: str | os.PathLike, clips: Sequence[np.ndarray]
) -> tuple[np.ndarray, float]:
    """Returns a file's logits [clips, classes], and its median seconds for a clip."""
    logits, seconds = [], []
    with ClipClassifier(path) as classifier:
        for clip in tqdm.tqdm(clips, desc="Running the file", unit="clip"):
            start = time.perf_counter()
            logits.append(classifier.logits(list(clip), prepared=True))
            seconds.append(time.perf_counter() - start)
    return np.stack(logits), float(np.median(seconds))


def check_clip_parity(
    path: str | os.PathLike,
    model: tf_keras.Model,
    expected: np.ndarray,
    converted: np.ndarray | None,
    clips: Sequence[np.ndarray],
    kind: str,
    quantization: str,
) -> ClipParity:
    """Classifies clips by a file, and compares it with its model.

    Args:
        path: An exported file.
        model: The model that the file was exported from.
        expected: The model's logits [clips, classes].
        converted: Those of the file before quantization; None for the same file.
        clips: Each uint8 [frames, size, size, 3].
        kind: "real" or "drawn", the kind of the clips.
        quantization: The file's quantization, which says what is limited.
    """
    actual, seconds = file_logits(path, clips)
    exported = read_clip_file(path)
    levels = compare_preparation(exported.geometry, model.config.frame_geometry)
    scale = largest_logit(expected)
    converted = actual if converted is None else converted
    numbers = {
        "conversion_difference": float(np.abs(converted - expected).max() / scale),
        "largest_difference": float(np.abs(actual - expected).max() / scale),
    }
    regret = regret_of(expected[:, None], actual[:, None], exported.thresholds)
    failures = (
        *preparation_failures(levels),
        *file_failures(numbers, regret, quantization),
    )
    return ClipParity(
        count=len(clips),
        frames=len(clips[0]),
        clips=kind,
        largest_logit=scale,
        **numbers,
        regret=regret,
        preparation_difference=levels,
        milliseconds=seconds * 1e3,
        passed=not failures,
        failures=failures,
    )
