"""Times functions side by side, in turn, since machines are shared and noisy."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tqdm


class Seconds(NamedTuple):
    """Seconds that something took, a float, or an array of them over rounds.

    Attributes:
        wall: Wall-clock time.
        cpu: CPU time on all cores. Without a GPU, it shows small differences even if
            the machine does other work.
    """

    wall: Any
    cpu: Any

    @classmethod
    def now(cls) -> "Seconds":
        """Returns the present time."""
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, earlier):
        return Seconds(self.wall - earlier.wall, self.cpu - earlier.cpu)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Median of paired ratios, with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self):
        return f"{self.median:.3f}  {self.low:.3f}..{self.high:.3f}"


def time_in_turn(
    timed: Mapping[str, Callable[[], Seconds]], rounds: int
) -> dict[str, Seconds]:
    """Calls functions that time themselves, in another order each round.

    Other work on the machine therefore affects all of them alike.

    Args:
        timed: Functions by name. Each is called once more to warm up.
        rounds: Calls of each function.

    Returns:
        By name, `Seconds` with an array over rounds.
    """
    seconds: dict[str, list[Any]] = {name: [] for name in timed}
    rng = np.random.default_rng(0)
    for name in tqdm.tqdm(timed, "Warming up"):
        timed[name]()
    for _ in tqdm.trange(rounds, desc="Timing", unit="round"):
        for name in rng.permutation(list(timed)):
            seconds[name].append(timed[name]())
    return {name: Seconds(*np.transpose(rows)) for name, rows in seconds.items()}


def paired_ratio(over: np.ndarray, under: np.ndarray) -> Ratio:
    """Returns the ratio of two arrays of seconds, round by round."""
    ratios = over / under
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return Ratio(float(np.median(ratios)), low, high)
