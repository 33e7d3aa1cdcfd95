"""What the choices of a quantized file cost, by its model's own probabilities."""

import dataclasses
from collections.abc import Iterator

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


@dataclasses.dataclass(frozen=True)
class Regret:
    """How a file's choices of class compare with its model's.

    The regret of a frame is the model's probability of its own choice less that of the
    file's choice: 0 where they agree, and little at near ties, where either choice is
    as good.

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


def regret_of(expected: np.ndarray, actual: np.ndarray) -> Regret:
    """Compares choices of class.

    Args:
        expected: The model's logits [streams, times, classes].
        actual: The file's.
    """
    probabilities = special.softmax(expected.astype(np.float64), axis=-1)
    ordered = np.sort(probabilities, axis=-1)
    first = ordered[..., -1]
    second = ordered[..., -2] if ordered.shape[-1] > 1 else np.zeros_like(first)
    chosen = actual.argmax(-1)
    regret = first - np.take_along_axis(probabilities, chosen[..., None], -1)[..., 0]
    # NaN is no choice at all.
    regret = np.where(np.isfinite(actual).all(-1), regret, np.nan)
    same = chosen == expected.argmax(-1)
    clear = first - second >= CLEAR_MARGIN
    late = slice(-max(1, same.shape[1] // 6), None)
    numbers = {
        "mean_regret": regret.mean(),
        "late_regret": regret[:, late].mean(),
        "regret_99": np.percentile(regret, 99),
        "clear_agreement": same[clear].mean() if clear.any() else 1.0,
        "agreement": same.mean(),
        "late_agreement": same[:, late].mean(),
    }
    return Regret(**{name: float(value) for name, value in numbers.items()})
