"""Which of the frames that come with times a model at a steady rate is to see."""

import logging
import math
import sys

# As in `grw_tf.data.video_frames`: containers round times to a millisecond.
_TOLERANCE = 1e-3


class FrameClock:
    """Counts the ticks of a model's frame rate that fall to each frame.

    At each tick, k / fps after the first frame, the model sees the frame then on
    screen, as in training: frames are dropped or repeated. A frame is on screen until
    the next one comes, so only then is it known how many ticks fall to it.

    A frame that is not later than the one before takes its place, as in training. If
    the time jumps by more than `max_gap`, either way, the frame on screen is repeated
    for no longer than that, and the ticks begin anew. Each is warned of once.

    Args:
      fps: ticks a second.
      max_gap: seconds.

    Raises:
      ValueError: if `max_gap` is not above 0.
    """

    def __init__(self, fps, max_gap=1.0):
        if not max_gap > 0:
            raise ValueError(f"max_gap is {max_gap}: it must be above 0.")
        self._fps = fps
        self._max_gap = max_gap
        self._warned = set()
        self.restart()

    def restart(self):
        """Begins anew with the next frame."""
        self._first = self._last = None
        self._tick = 0
        self._interval = 1 / self._fps

    def arrive(self, time):
        """Takes the time in seconds of a frame that comes.

        Returns:
          How many ticks fell to the frame before it.

        Raises:
          ValueError: if the time is no finite number.
        """
        time = _seconds(time)
        if self._first is None:
            self._first = self._last = time
            return 0
        gap = time - self._last
        if abs(gap) > self._max_gap:
            self._warn(
                "jump",
                "Time jumps from %.3f to %.3f s, by more than max_gap, %g s: the stream"
                " goes on as if the frame had come then; call reset() where another"
                " video begins.",
                self._last,
                time,
                self._max_gap,
            )
            count = self.end(math.inf if gap > 0 else None)
            self._first = self._last = time
            return count
        if gap <= 0:
            self._warn(
                "overlap",
                "The frame at %.3f s comes after one at %.3f s: times overlap or run"
                " backwards. It takes the place of that one.",
                time,
                self._last,
            )
            time = self._last
        else:
            self._interval = gap
        self._last = time
        return self._ticks_before(time)

    def end(self, time=None):
        """Ends the video, and begins anew with the next frame.

        Args:
          time: of the end; by default the last frame lasts as long as the one before;
            infinity for as long as `max_gap` allows.

        Returns:
          How many ticks fell to the last frame.

        Raises:
          ValueError: if the time is no number.
        """
        time = None if time is None else _seconds(time, most=math.inf)
        if self._first is None:
            return 0
        time = self._last + self._interval if time is None else time
        shortest = self._last + 2 * _TOLERANCE
        count = self._ticks_before(
            min(max(time, shortest), max(self._last + self._max_gap, shortest))
        )
        self.restart()
        return count

    def _ticks_before(self, time):
        first = self._tick
        while self._tick / self._fps < time - self._first - _TOLERANCE:
            self._tick += 1
        return self._tick - first

    def _warn(self, kind, *message):
        if kind not in self._warned:
            self._warned.add(kind)
            logging.getLogger(__name__).warning(*message)


def _seconds(time, most=sys.float_info.max):
    """Returns a time as a float.

    Raises:
      ValueError: if it is no number, or not a finite one up to the most.
    """
    try:
        # Float reads strings too.
        seconds = math.nan if isinstance(time, str | bytes) else float(time)
    except (OverflowError, TypeError, ValueError):
        seconds = math.nan
    if not -math.inf < seconds <= most:
        raise ValueError(
            f"A frame's time is {repr(time):.40}: it must be a number of seconds."
        )
    return seconds
