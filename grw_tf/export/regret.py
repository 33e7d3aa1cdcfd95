"""What the choices of a quantized file cost, by its model's own probabilities."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special

MEAN_LIMIT = 0.01
"""Limit of the mean regret, over all frames and over the last sixth of each stream."""

PERCENTILE_LIMIT = 0.1
"""Limit of the 99th percentile of the regret."""

CLEAR_MARGIN = 0.1
"""Margin between the two likeliest classes from which a choice is clear."""

CLEAR_AGREEMENT = 0.99
"""Least agreement where the model's choice is clear."""

# Thresholds of 0 and 1 count as this far from them.
_LEAST = 1e-6


@dataclasses.dataclass(frozen=True)
class Regret:
    """How a file's choices of class compare with its model's.

    The regret of a frame is the model's probability of its own choice less that of the
    file's choice: 0 where they agree, and little at near ties, where either choice is
    as good.

    With several labels a clip, a file chooses for each class whether to name it, which
    counts as a choice between two. The regret of a frame is then that of the class it
    is largest for, and choices are the same if they are for all classes.

    Attributes:
        mean_regret: Mean over all frames.
        late_regret: Mean over the last sixth of each stream.
        regret_99: 99th percentile.
        clear_agreement: Fraction of frames with the same choice, among those whose
            margin is at least CLEAR_MARGIN; 1 if there are none.
        agreement: Fraction of all frames with the same choice.
        late_agreement: The same for the last sixth of each stream.
    """

    mean_regret: float
    late_regret: float
    regret_99: float
    clear_agreement: float
    agreement: float
    late_agreement: float

    def failures(self, share: float = 1.0) -> Iterator[str]:
        """Yields what is beyond the limits, in words.

        Args:
            share: Fraction of the limits to allow.
        """
        # Written so that NaN fails, too.
        for value, limit, what in (
            (self.mean_regret, MEAN_LIMIT, "on average over all frames"),
            (self.late_regret, MEAN_LIMIT, "on average over the last sixth of them"),
            (self.regret_99, PERCENTILE_LIMIT, "at the 99th percentile"),
        ):
            if not value <= share * limit:
                yield (
                    f"by the model's probabilities, the file's choices of class cost"
                    f" {value:.3f} {what} (limit {share * limit:.3g})"
                )
        least = 1 - share * (1 - CLEAR_AGREEMENT)
        if not self.clear_agreement >= least:
            yield (
                f"where the model's choice is clear (by {CLEAR_MARGIN} or more), file"
                f" and model agree at {self.clear_agreement:.1%} of the frames (limit"
                f" {least:.1%})"
            )


def regret_of(
    expected: np.ndarray,
    actual: np.ndarray,
    thresholds: Sequence[float] | None = None,
) -> Regret:
    """Compares choices of class.

    Args:
        expected: The model's logits [streams, times, classes].
        actual: The file's.
        thresholds: The scores [classes] from which sigmoids name their classes; None
            for a softmax.
    """
    if thresholds is not None:
        return _regret_of_labels(expected, actual, thresholds)
    probabilities = special.softmax(expected.astype(np.float64), axis=-1)
    ordered = np.sort(probabilities, axis=-1)
    first = ordered[..., -1]
    second = ordered[..., -2] if ordered.shape[-1] > 1 else np.zeros_like(first)
    chosen = actual.argmax(-1)
    regret = first - np.take_along_axis(probabilities, chosen[..., None], -1)[..., 0]
    # NaN is no choice at all.
    regret = np.where(np.isfinite(actual).all(-1), regret, np.nan)
    same = chosen == expected.argmax(-1)
    return _summary(regret, same, same, first - second >= CLEAR_MARGIN)


def _regret_of_labels(expected, actual, thresholds):
    # Logits from 0 on are then named.
    zero = special.logit(np.clip(thresholds, _LEAST, 1 - _LEAST))
    expected, actual = expected.astype(np.float64) - zero, actual - zero
    # The difference of the probabilities of two classes with logits x and 0.
    margin = np.abs(np.tanh(expected / 2))
    agree = (expected >= 0) == (actual >= 0)
    regret = np.where(agree, 0, margin).max(-1)
    regret = np.where(np.isfinite(actual).all(-1), regret, np.nan)
    clear = margin >= CLEAR_MARGIN
    return _summary(regret, agree.all(-1), (agree | ~clear).all(-1), clear.any(-1))


def _summary(regret, same, same_where_clear, clear):
    late = slice(-max(1, same.shape[1] // 6), None)
    numbers = {
        "mean_regret": regret.mean(),
        "late_regret": regret[:, late].mean(),
        "regret_99": np.percentile(regret, 99),
        "clear_agreement": same_where_clear[clear].mean() if clear.any() else 1.0,
        "agreement": same.mean(),
        "late_agreement": same[:, late].mean(),
    }
    return Regret(**{name: float(value) for name, value in numbers.items()})
