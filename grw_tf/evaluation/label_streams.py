"""Measures streams of a model with several labels a clip, frame by frame."""

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy import special

from grw_tf.common.text_table import text_table
from grw_tf.evaluation.label_measures import average_precisions, mean_of_known
from grw_tf.evaluation.streaming import shown_frames


@dataclasses.dataclass(frozen=True, eq=False)
class LabelStreamingMeasures:
    """How accurate and how steady scores are while clips arrive.

    Attributes:
        mean_average_precision: [frames], mAP over the clips after each frame.
        micro_f1: [frames], F1 over all decisions after each frame.
        label_changes_per_second: Mean number of classes that begin or cease to be named
            in a second.
        probability_change: Sum over classes of |p_t - p_(t-1)|, mean over consecutive
            frames and clips: from 0 (constant) to the number of classes.
        fps: Frames per second.
    """

    mean_average_precision: np.ndarray
    micro_f1: np.ndarray
    label_changes_per_second: float
    probability_change: float
    fps: float

    def table(self) -> str:
        """Returns the measures as text, with at most 12 frames of the curve."""
        curve = [("frames seen", "seconds", "mAP", "micro-F1")]
        curve += [
            (
                *(f"{frame + 1}", f"{frame / self.fps:.2f}"),
                f"{self.mean_average_precision[frame]:.3f}",
                f"{self.micro_f1[frame]:.3f}",
            )
            for frame in shown_frames(len(self.micro_f1))
        ]
        flicker = (
            ("class changes a second", f"{self.label_changes_per_second:6.3f}"),
            ("probability change a frame", f"{self.probability_change:6.3f}"),
        )
        return f"{text_table(curve, '>')}\n\n{text_table(flicker)}"

    def to_dict(self) -> dict:
        """Returns the measures in types that JSON has."""
        precision = self.mean_average_precision.tolist()
        return {
            "mean_average_precision_after_each_frame": [
                None if np.isnan(number) else number for number in precision
            ],
            "micro_f1_after_each_frame": self.micro_f1.tolist(),
            "label_changes_per_second": self.label_changes_per_second,
            "probability_change": self.probability_change,
        }


def measure_label_streams(
    logits: npt.ArrayLike, labels: npt.ArrayLike, thresholds: npt.ArrayLike, fps: float
) -> LabelStreamingMeasures:
    """Measures logits [clips, frames, classes] of at least two frames per clip.

    Args:
        logits: The logits.
        labels: Which classes each clip has, bool [clips, classes].
        thresholds: Scores [classes] from which classes are named.
        fps: Frames per second.

    Raises:
        ValueError: If shapes do not fit, a logit is not finite, or there are too few
            frames.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    clips, frames, classes = logits.shape if logits.ndim == 3 else (0, 0, 0)
    if not clips or labels.shape != (clips, classes) or labels.dtype != bool:
        raise ValueError(
            "Expected logits [clips, frames, classes] and labels, as bool"
            " [clips, classes], of at least one clip, got"
            f" {logits.shape} and {labels.dtype.name} {labels.shape}."
        )
    if frames < 2:
        raise ValueError(f"Changes need clips of at least 2 frames, got {frames}.")
    if not np.isfinite(logits).all():
        raise ValueError("Some logits are NaN or infinite: the model is broken.")
    scores = special.expit(logits)
    named = scores >= np.asarray(thresholds)
    right = (named & labels[:, None]).sum(axis=(0, 2))
    either = named.sum(axis=(0, 2)) + labels.sum()
    changes = np.diff(named, axis=1).sum(axis=2)
    moves = np.abs(np.diff(scores, axis=1)).sum(axis=2)
    return LabelStreamingMeasures(
        mean_average_precision=np.array(
            [
                mean_of_known(average_precisions(labels, scores[:, frame]))
                for frame in range(frames)
            ]
        ),
        micro_f1=2 * right / np.maximum(either, 1),
        label_changes_per_second=float(changes.mean() * fps),
        probability_change=float(moves.mean()),
        fps=fps,
    )
