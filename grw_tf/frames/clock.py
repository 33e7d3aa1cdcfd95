"""Chooses, from frames with time stamps, those that a model at a steady rate sees.

Training samples videos by the same clock (`grw_tf.data.videos.sampling`). `export/cpp`,
`export/android`, `export/ios` and `export/web` implement it in C++, Kotlin, Swift and
JavaScript.
"""

import logging
import math
import sys
from collections.abc import Callable
from typing import Any, SupportsFloat

from grw_tf.common.checks import check_positive

# Containers round times to a millisecond.
TOLERANCE = 1e-3
# Seconds beyond which a gap is a jump of the clock, as ffmpeg's `dts_delta_threshold`.
_LEAST_JUMP = 10.0
# Seconds. A frame that is earlier by more than this was not just stored out of order.
_MOST_OUT_OF_ORDER = 1.0


class FrameClock:
    """Counts the ticks of a model's frame rate during which each frame is on screen.

    At each tick, k / fps after the first frame, the model sees the frame on screen, so
    frames are dropped or repeated. A frame is on screen until the next one arrives, and
    only then is its number of ticks known. Time stamps may be irregular:

    - A frame without a time stamp comes one interval after the frame before it. The
      interval is `interval` if given, else the last one seen, else 1 / `fps`.
    - If times jump ahead by more than 10 s, or by more than a longer `max_gap`, the
      frame on screen is repeated for `max_gap`, and the next frame counts as arriving
      then.
    - If times are set back, the next frame counts as arriving one interval after the
      frame before it, and time continues from there. Times are set back if a frame is
      earlier by more than a second, or if two frames in a row are earlier than a frame
      before them and the second is later than the first.
    - After either jump, a frame whose time fits the clock from before the jump is
      placed by that clock. When the counter of a container overflows, both may
      alternate.
    - Any other frame that is not later than the frame before replaces it, since some
      containers store frames out of order.

    The first jump and the first replaced frame each cause a warning.

    Args:
        fps: Ticks per second.
        max_gap: Seconds for which a frame is repeated if times jump ahead.
        interval: Seconds between frames without time stamps.
        start: Seconds after the first frame at which the ticks begin.
        warn: Called with "jump" or "overlap" and a message. By default the message is
            logged.

    Raises:
        ValueError: If `max_gap` is not above 0.

    Attributes:
        skipped: Seconds without ticks, because times jumped ahead.
    """

    def __init__(
        self,
        fps: float,
        max_gap: float = 1.0,
        interval: float | None = None,
        start: float = 0.0,
        warn: Callable[[str, str], None] | None = None,
    ):
        check_positive(max_gap=max_gap)
        self._fps = fps
        self._max_gap = max_gap
        self._least_jump = max(max_gap, _LEAST_JUMP)
        self._given_interval = interval
        self._start = start
        self._tell = warn or _log
        self._warned: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Starts over with the next frame."""
        # Both are None before the first frame.
        self._first: Any = None
        self._last: Any = None
        self._interval = 1 / self._fps
        self._tick = 0
        # Time of the last frame if it replaced another one.
        self._early: float | None = None
        # Seconds to add to time stamps since they were set back or jumped.
        self._shift = 0.0
        # The same, before the last jump.
        self._former_shift = 0.0
        self.skipped = 0.0

    @property
    def time(self) -> float:
        """Time of the frame on screen in seconds, by the present time stamps."""
        return self._last - self._shift

    @property
    def position(self) -> float:
        """Seconds from the first frame to the one on screen, with the skipped ones."""
        return self._last - self._first + self.skipped

    def arrive(self, time: SupportsFloat | None) -> int:
        """Takes the time of the next frame in seconds, or None if it has none.

        Returns:
            Number of ticks of the frame before it.

        Raises:
            ValueError: If the time is not a finite number.
        """
        stamp = None if time is None else seconds(time)
        if self._first is None:
            self._first = self._last = stamp or 0.0
            return 0
        if stamp is None:
            now = self._last + self._usual_interval()
        else:
            if self._fits_former(stamp):
                self._shift, self._former_shift = self._former_shift, self._shift
            now = stamp + self._shift
        gap = now - self._last
        early, self._early = self._early, None
        if gap > 0:
            self._go_ahead(now)
        elif gap < -_MOST_OUT_OF_ORDER or (
            early is not None and early < now < self._last
        ):
            self._set_back(now, 1 if early is None else 2)
        else:
            self._early = now
            self._warn(
                "overlap",
                f"The frame at {now - self._shift:.3f} s comes after one at"
                f" {self.time:.3f} s: times overlap or run backwards. It takes the"
                " place of that one.",
            )
        return self._ticks_before(self._last)

    def end(self, time: SupportsFloat | None = None) -> int:
        """Ends the video and starts over with the next frame.

        Args:
            time: Seconds at which the video ends; infinity if unknown. By default the
                last frame lasts as long as the one before.

        Returns:
            Number of ticks of the last frame.

        Raises:
            ValueError: If the time is not a number.
        """
        time = None if time is None else seconds(time, most=math.inf)
        if self._first is None:
            return 0
        time = self._last + self._interval if time is None else time + self._shift
        shortest = self._last + 2 * TOLERANCE
        count = self._ticks_before(max(self._shown_until(time), shortest))
        self.restart()
        return count

    def _fits_former(self, time):
        gap = time + self._shift - self._last
        former = time + self._former_shift - self._last
        jumps = gap < -_MOST_OUT_OF_ORDER or gap > self._least_jump
        return jumps and abs(former) <= _MOST_OUT_OF_ORDER

    def _shown_until(self, time):
        """Returns when the frame on screen ends if the next one arrives at a time."""
        # Nothing is repeated before the start, so time may jump freely there.
        since = max(self._last, self._first + self._start)
        if time - since > self._least_jump:
            return since + self._max_gap
        return time

    def _go_ahead(self, time):
        until = self._shown_until(time)
        if until < time:
            self._warn(
                "jump",
                f"Time jumps from {self.time:.3f} to {time - self._shift:.3f} s: the"
                f" frame before is repeated for {self._max_gap:g} s, and time goes on"
                " from there.",
            )
            self.skipped += time - until
            self._former_shift = self._shift
            self._shift -= time - until
        elif time - self._last <= self._least_jump:
            self._interval = time - self._last
        self._last = until

    def _set_back(self, time, intervals):
        self._warn(
            "jump",
            f"Time jumps from {self.time:.3f} to {time - self._shift:.3f} s, backwards:"
            " it goes on from where it was.",
        )
        self._former_shift = self._shift
        self._last += intervals * self._usual_interval()
        self._shift += self._last - time

    def _usual_interval(self):
        # Times are rounded, so each interval that was seen may be slightly off.
        return self._given_interval or self._interval

    def _ticks_before(self, time):
        first = self._tick
        origin = self._first + self._start
        while self._tick / self._fps < time - origin - TOLERANCE:
            self._tick += 1
        return self._tick - first

    def _warn(self, kind, message):
        if kind not in self._warned:
            self._warned.add(kind)
            self._tell(kind, message)


def _log(kind, message):
    if kind == "jump":
        message += " Times must be in seconds. Call reset() where another video begins."
    logging.getLogger(__name__).warning("%s", message)


def seconds(time: SupportsFloat, most: float = sys.float_info.max) -> float:
    """Returns a time as a float.

    Raises:
        ValueError: If the time is not a number, or above `most`.
    """
    try:
        # float() reads strings too.
        number = math.nan if isinstance(time, str | bytes) else float(time)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not -math.inf < number <= most:
        raise ValueError(
            f"A frame's time is {time!r:.40}: it must be a number of seconds."
        )
    return number
