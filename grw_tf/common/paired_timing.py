"""Timing things side by side, in turn, for machines are shared and noisy."""

import dataclasses
import time
import typing

import numpy as np
import tqdm


class Seconds(typing.NamedTuple):
    """How long something took, or took in each of several rounds.

    Attributes:
        wall: As a clock on the wall has it.
        cpu: Of all cores that this process kept busy. Where there is no other device,
            it tells small differences on a machine that does other work too.
    """

    wall: float | np.ndarray
    cpu: float | np.ndarray

    @classmethod
    def now(cls):
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, earlier):
        return Seconds(self.wall - earlier.wall, self.cpu - earlier.cpu)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A median of paired ratios, and the 95 % interval of it by bootstrap."""

    median: float
    low: float
    high: float

    def __str__(self):
        return f"{self.median:.3f}  {self.low:.3f}..{self.high:.3f}"


def time_in_turn(timed, rounds):
    """Calls functions that time themselves in turn, in another order each round.

    So what else the machine does falls on all of them.

    Args:
        timed: Functions that return `Seconds`, by name. Each is called once more at
            first.
        rounds: How often each is called.

    Returns:
        `Seconds` with arrays of all rounds, by name.
    """
    seconds = {name: [] for name in timed}
    rng = np.random.default_rng(0)
    for name in tqdm.tqdm(timed, "Warming up"):
        timed[name]()
    for _ in tqdm.trange(rounds, desc="Timing", unit="round"):
        for name in rng.permutation(list(timed)):
            seconds[name].append(timed[name]())
    return {name: Seconds(*np.transpose(rows)) for name, rows in seconds.items()}


def paired_ratio(over, under) -> Ratio:
    """Returns the ratio of two arrays of seconds, taken round by round."""
    ratios = over / under
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return Ratio(np.median(ratios), low, high)
