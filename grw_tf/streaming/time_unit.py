"""Whether the times of frames are seconds, as they must be, or of a smaller unit."""

# Seconds. Taken for seconds, milliseconds of up to 200 frames a second are more.
_LEAST_STEP = 5.0
# Of each unit: the longest step, and how many are a second.
_UNITS = (
    ("milliseconds", 1e3, 1000),
    ("microseconds", 1e6, 1_000_000),
    ("nanoseconds", float("inf"), 1_000_000_000),
)
_STEPS = 3
# Of the longest step to the shortest: frames that were dropped make some longer.
_MOST_UNEVEN = 3.0


class TimeUnit:
    """Refuses times that are no seconds, by the first frames of a stream.

    Times are taken for a smaller unit if the first three steps between frames are all
    above 5 s and above `max_gap`, and the longest is at most three times the shortest.
    So one gap, however long, is none of it, and neither are gaps as they come, of a
    camera that sees motion; a clock that is set once passes too. Any shorter step
    among the first three settles that they are seconds, until the stream ends. A stream
    of a steady frame every ten seconds is asked for a `max_gap` above that, without
    which no frame would last until the next one.

    Args:
      max_gap: seconds for which a frame may be on screen, as of `FrameClock`.
    """

    def __init__(self, max_gap):
        self._least_step = max(_LEAST_STEP, max_gap)
        self.restart()

    def restart(self):
        """Begins anew with the next frame."""
        self._times = []
        self._settled = False

    def check(self, time):
        """Takes the time of a frame that comes; what is no number passes.

        Raises:
          ValueError: if times look like another unit than seconds.
        """
        if self._settled:
            return
        try:
            times = [*self._times, float(time)]
        except (OverflowError, TypeError, ValueError):
            return
        steps = [
            after - before for before, after in zip(times, times[1:], strict=False)
        ]
        if not all(step > self._least_step for step in steps):
            self._settled = True
        elif len(steps) < _STEPS:
            self._times = times
        elif max(steps) <= _MOST_UNEVEN * min(steps):
            raise ValueError(_question(times, sum(steps) / len(steps)))
        else:
            self._settled = True


def _question(times, step):
    unit, divisor = next(
        (unit, divisor) for unit, longest, divisor in _UNITS if step <= longest
    )
    shown = ", ".join(f"{time:.15g}" for time in times)
    return (
        f"Times of frames must be seconds, and {shown} look like {unit}: divide them by"
        f" {divisor}. If a frame does come every {step:.3g} s, open the session with a"
        " max_gap above that."
    )
