"""Test clips as a device may see them: frames lost, late or noisy, another rate.

Each perturbation depends on the clip's name alone, so all models see the same clips.
"""

import dataclasses
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import tf_keras

from grw_tf.data.evaluation_clips import EvaluationClips
from grw_tf.evaluation.inference import predict_clips
from grw_tf.evaluation.label_measures import average_precisions, mean_of_known

_DROPPED = 0.3
_LATE = 1.0
_SLOWER = 1.5
_NOISE = 0.1


def _unchanged(_, array):
    return array


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """A perturbation of clips.

    Attributes:
        key: The name of the accuracy on perturbed clips in JSON.
        title: The same in tables.
        meaning: What it does, in words.
        times: Function from a random generator and the times [frames] of a clip's
            frames, in frames of the model's rate, to other times.
        pixels: Function from a random generator and a clip [frames, size, size, 3] in
            0..1 to another.
    """

    key: str
    title: str
    meaning: str
    times: Callable[[np.random.Generator, np.ndarray], np.ndarray] = _unchanged
    pixels: Callable[[np.random.Generator, np.ndarray], np.ndarray] = _unchanged

    def named(self, several_labels: bool) -> tuple[str, str]:
        """Returns the key and the title, of mAP for models with several labels."""
        if not several_labels:
            return self.key, self.title
        key = self.key.replace("accuracy", "mean_average_precision")
        return key, self.title.replace("Accuracy", "mAP")

    def generator(self, name: str) -> np.random.Generator:
        """Returns the random generator for a clip."""
        seed = f"{self.key} {name}".encode(errors="surrogateescape")
        return np.random.default_rng(zlib.crc32(seed))


def _drop(rng, times):
    kept = rng.random(len(times)) >= _DROPPED
    kept[0] = True
    last_kept = np.maximum.accumulate(np.where(kept, np.arange(len(times)), 0))
    return times[last_kept]


def _jitter(rng, times):
    return np.sort(times + rng.uniform(-_LATE, _LATE, len(times)))


def _slow_down(_, times):
    return times.mean() + _SLOWER * (times - times.mean())


def _add_noise(rng, clip):
    noise = rng.normal(0.0, _NOISE, clip.shape).astype(np.float32)
    return np.clip(clip + noise, 0.0, 1.0)


PERTURBATIONS = (
    Perturbation(
        *("accuracy_dropped", "Accuracy, dropped frames"),
        "Each frame but the first is lost with a probability of 30 %, and the last one"
        " before it is seen again.",
        times=_drop,
    ),
    Perturbation(
        *("accuracy_jittered", "Accuracy, jitter in time"),
        "Each frame is taken up to one frame interval too early or too late, in their"
        " order.",
        times=_jitter,
    ),
    Perturbation(
        *("accuracy_low_rate", "Accuracy, 2/3 of the frame rate"),
        "Frames are 1.5 times as far apart as in training, around the same middle.",
        times=_slow_down,
    ),
    Perturbation(
        *("accuracy_noisy", "Accuracy, noise"),
        "Gaussian noise with a standard deviation of 0.1 is added to pixels in 0..1.",
        pixels=_add_noise,
    ),
)


def perturbed_batches(
    clips: EvaluationClips, perturbation: Perturbation, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
    """Yields perturbed clips [batch, frames, size, size, 3] in 0..1, labels, names.

    Frames at changed times are the nearest recorded ones; before the first and after
    the last, the clip stands still.

    Raises:
        ValueError: As `EvaluationClips.clips`.
        OSError: As `EvaluationClips.clips`.
    """

    def times(name, unperturbed):
        return perturbation.times(perturbation.generator(name), unperturbed)

    for batch, labels, names in clips.batches(batch_size, times=times):
        perturbed = [
            perturbation.pixels(perturbation.generator(name), clip)
            for name, clip in zip(names, batch, strict=True)
        ]
        yield np.stack(perturbed), labels, names


def perturbed_accuracy(
    model: tf_keras.Model, clips: EvaluationClips, batch_size: int
) -> dict[str, float]:
    """Returns a model's accuracy under each of `PERTURBATIONS`, by key.

    For a model with several labels it is the mean average precision (mAP) instead.

    Raises:
        ValueError: As `EvaluationClips.clips`.
        OSError: As `EvaluationClips.clips`.
    """
    # One pass, so that the model is traced once.
    predicted = predict_clips(
        model,
        (
            batch
            for perturbation in PERTURBATIONS
            for batch in perturbed_batches(clips, perturbation, batch_size)
        ),
    )
    several = model.config.has_several_labels
    each = (
        np.split(array, len(PERTURBATIONS))
        for array in (predicted.labels, predicted.probabilities)
    )
    return {
        perturbation.named(several)[0]: (
            mean_of_known(average_precisions(labels, scores))
            if several
            else float((scores.argmax(axis=1) == labels).mean())
        )
        for perturbation, labels, scores in zip(PERTURBATIONS, *each, strict=True)
    }
