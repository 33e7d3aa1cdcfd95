"""Checks that the times of frames are in seconds and not in a smaller unit.

`export/cpp`, `export/android` and `export/ios` implement the same rule.
"""

import itertools

# Seconds. Milliseconds read as seconds are longer steps, for up to 200 frames a second.
_LEAST_STEP = 5.0
# Each unit: its name, the longest step that indicates it, and its number per second.
_UNITS = (
    ("milliseconds", 1e3, 1000),
    # For 11 to 90 frames per second. Microseconds as short have 125 and more.
    ("90 kHz ticks", 8e3, 90_000),
    ("microseconds", 1e6, 1_000_000),
    ("nanoseconds", float("inf"), 1_000_000_000),
)
# Gaps in seconds are not as long, so such steps need not be even.
_LONGEST_GAP = 1000.0
# Steps between frames: the fewest to judge by, and the number to assume seconds after.
_FEWEST_STEPS, _MOST_STEPS = 3, 5
# Frames after which seconds are assumed, even if all have the same time.
_MOST_FRAMES = 12
# A step is near the median within this factor.
_NEAR = 2.0
# Steps shorter than those of this frame rate are odd in a unit.
_MOST_RATE = 1000


class TimeUnit:
    """Refuses times that are not in seconds, judging by the first frames of a stream.

    It looks at the first three to five forward steps between frames. A step is long if
    it exceeds 5 s and `max_gap`.

    - Two steps that are not long show that times are in seconds. One may be odd.
    - Otherwise, times are refused if the median step exceeds 1000 s, or if more than
      half of the steps are within a factor of 2 of the median.
    - A step that would be odd in the smaller unit too, less than a thousandth of a
      second, postpones the verdict to the fifth step.

    A stream in seconds may thus have gaps of any length. A time lapse of a frame every
    ten seconds is refused, with the advice to open the session with a longer `max_gap`.

    Args:
        max_gap: Seconds for which a frame may be on screen, as for `FrameClock`.
    """

    def __init__(self, max_gap: float):
        self._least_step = max(_LEAST_STEP, max_gap)
        self.restart()

    def restart(self) -> None:
        """Starts over with the next frame."""
        self._times: list[float] = []
        self._settled = False

    def check(self, time: float) -> bool:
        """Takes the time of the next frame in seconds.

        Returns:
            Whether the frame can be shown. If not, its time is in doubt until a later
            call returns true or raises.

        Raises:
            ValueError: If times look like another unit than seconds.
        """
        if self._settled:
            return True
        times = [*self._times, time]
        steps = [after - before for before, after in itertools.pairwise(times)]
        steps = [step for step in steps if step > 0]
        long = sum(step > self._least_step for step in steps)
        if len(steps) - long < 2:
            unit = _smaller_unit(steps)
            if unit:
                raise ValueError(_question(times, *unit))
            self._settled = len(steps) >= _MOST_STEPS or len(times) >= _MOST_FRAMES
        else:
            self._settled = True
        self._times = times
        return self._settled or not long


def _smaller_unit(steps):
    """Returns the unit of steps, its number per second, and the median step.

    At most one of the steps is not long. It returns None if they may be seconds.
    """
    if len(steps) < _FEWEST_STEPS:
        return None
    median = sorted(steps)[len(steps) // 2]
    unit, divisor = next(
        (unit, divisor) for unit, longest, divisor in _UNITS if median <= longest
    )
    if len(steps) < _MOST_STEPS and min(steps) * _MOST_RATE < divisor:
        return None
    near = sum(median / _NEAR <= step <= median * _NEAR for step in steps)
    if median <= _LONGEST_GAP and 2 * near <= len(steps):
        return None
    return unit, divisor, median


def _question(times, unit, divisor, step):
    shown = ", ".join(f"{time:.15g}" for time in times)
    return (
        f"Times of frames must be in seconds, and {shown} look like {unit}: divide them"
        f" by {divisor}. If a frame does come every {step:.6g} s, open the session with"
        f" a max_gap above that."
    )
