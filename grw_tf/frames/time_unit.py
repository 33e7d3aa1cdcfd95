"""Whether the times of frames are seconds, as they must be, or a smaller unit.

`export/cpp/time_unit.cc` and `export/android/StreamSession.kt` hold the same rule.
"""

# Seconds. Read as seconds, milliseconds of up to 200 frames a second are longer steps.
_LEAST_STEP = 5.0
# Each unit: its name, the longest step it is told by, and how many make a second.
_UNITS = (
    ("milliseconds", 1e3, 1000),
    # Of 11 to 90 frames a second; microseconds as short are of 125 and more.
    ("90 kHz ticks", 8e3, 90_000),
    ("microseconds", 1e6, 1_000_000),
    ("nanoseconds", float("inf"), 1_000_000_000),
)
# No usual gap in seconds is as long, so such steps need not be even.
_LONGEST_GAP = 1000.0
# Steps between frames: the fewest that tell, and those after which seconds are assumed.
_FEWEST_STEPS, _MOST_STEPS = 3, 5
# So many frames are enough, even if they all have the same time.
_MOST_FRAMES = 12
# A step is near the median up to this factor.
_NEAR = 2.0
# Steps shorter than those of this many frames a second are odd in a unit.
_MOST_RATE = 1000


class TimeUnit:
    """Refuses times that are not in seconds, judging by the first frames of a stream.

    It looks at the first three to five steps between frames that go forwards. A step is
    long if it exceeds 5 s and `max_gap`.

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

    def __init__(self, max_gap):
        self._least_step = max(_LEAST_STEP, max_gap)
        self.restart()

    def restart(self):
        """Begins anew with the next frame."""
        self._times = []
        self._settled = False

    def check(self, time):
        """Takes the time of the next frame, a float.

        Returns:
            Whether the frame can be shown. If not, its time is in doubt until a later
            call returns true or raises.

        Raises:
            ValueError: If times look like another unit than seconds.
        """
        if self._settled:
            return True
        times = [*self._times, time]
        steps = [
            after - before for before, after in zip(times, times[1:], strict=False)
        ]
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
    """Returns the unit of steps, how many make a second, and the median step.

    At most one of the steps is not long. Returns None if they may be seconds.
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
