"""Measures how fast clips are predicted, and how long a test set would take."""

import time

import tensorflow as tf


class RunSpeed:
    """Counts the clips of this process after its first batch.

    The first batch includes compilation. It counts only if there is no other.
    """

    def __init__(self):
        self._begun = self._counted_from = time.monotonic()
        self._first = self._clips = 0
        self._ended = self._begun
        self._waited = 0.0

    def add(self, clips: int) -> None:
        """Counts the clips of a finished batch."""
        self._ended = time.monotonic()
        if not self._clips:
            self._first, self._counted_from = clips, self._ended
            self._waited = 0.0
        self._clips += clips

    def wait(self, seconds: float) -> None:
        """Counts time without a clip to predict."""
        self._waited += seconds

    @property
    def clips(self) -> int:
        """Number of clips of this process."""
        return self._clips

    def clips_per_second(self) -> float | None:
        """Returns the rate, None without clips."""
        if not self._clips:
            return None
        if self._clips == self._first:
            return self._clips / (self._ended - self._begun)
        return (self._clips - self._first) / (self._ended - self._counted_from)

    def to_dict(
        self, strategy: tf.distribute.Strategy, batch_size: int, test_clips: int
    ) -> dict:
        """Returns the speed for JSON, with the estimated time for `test_clips`.

        `batch_size` counts the clips on all devices.
        """
        rate = self.clips_per_second()
        seconds = self._ended - self._counted_from
        return {
            "clips": self._clips,
            "batch_size": batch_size,
            "devices": [_device_name(d) for d in strategy.extended.worker_devices],
            "clips_per_second": rate,
            "compiled_apart": self._clips > self._first,
            "share_of_time_waiting_for_clips": (
                min(1.0, self._waited / seconds) if seconds else None
            ),
            "test_clips": test_clips,
            "hours_for_test_clips": test_clips / rate / 3600 if rate else None,
        }


def _device_name(device):
    name = tf.DeviceSpec.from_string(device)
    if name.device_type == "CPU":
        return f"CPU:{name.device_index}"
    physical = tf.config.list_physical_devices(name.device_type)[name.device_index]
    details = tf.config.experimental.get_device_details(physical)
    return details.get("device_name", f"{name.device_type}:{name.device_index}")
