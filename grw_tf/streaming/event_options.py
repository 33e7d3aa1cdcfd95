"""The flags that change when answers count; only programs need this module."""

import dataclasses

from grw_tf.common.flags import option
from grw_tf.streaming.events import EventRules

_NAMES = [field.name for field in dataclasses.fields(EventRules)]


@dataclasses.dataclass(frozen=True)
class EventOptions:
    """Changes of what a file's calibration says; each field is a flag."""

    on_threshold: float | None = option(
        None,
        "Score from which on a class is the answer, and an event of it begins; by"
        " default the file's calibrated one.",
    )
    off_threshold: float | None = option(
        None,
        "Score below which an event ends; by default the file's calibrated share of the"
        " on-threshold, or 0.8 of it.",
    )
    least_seconds: float | None = option(
        None, "Shortest event; by default the file's calibrated one, or 0.5 s."
    )
    merge_gap: float | None = option(
        None,
        "Most seconds between two events of one class that are taken for one; by"
        " default the file's calibrated ones, or 0.5 s.",
    )
    memory_frames: int | None = option(
        None,
        "Frames beyond which a stream's model forgets, so that answers follow a long"
        " stream; 0 for never; by default as the file was calibrated.",
    )

    def rules(self, calibrated: EventRules | None) -> EventRules | None:
        """Returns the rules of a file, changed as asked.

        Args:
            calibrated: The file's rules, or None if it is not calibrated.

        Returns:
            The rules, or None if there are neither rules nor changes.

        Raises:
            ValueError: If thresholds are invalid or contradict each other, or there is
                no on-threshold.
        """
        given = {
            name: value for name in _NAMES if (value := getattr(self, name)) is not None
        }
        if not given:
            return calibrated
        if self.on_threshold is None and calibrated is None:
            raise ValueError(
                f"{next(iter(given))} is given, but the file has no calibrated"
                " threshold: give on_threshold too, or calibrate the file with"
                " grw-calibrate."
            )
        if calibrated is None:
            usual = EventRules.of_threshold(given["on_threshold"])
        else:
            share = calibrated.off_threshold / calibrated.on_threshold
            on_threshold = given.get("on_threshold", calibrated.on_threshold)
            usual = dataclasses.replace(
                calibrated,
                on_threshold=on_threshold,
                off_threshold=share * on_threshold,
            )
        return dataclasses.replace(usual, **given)
