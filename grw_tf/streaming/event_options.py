"""The flags that change when answers count; only programs need this module."""

import dataclasses
from typing import Any

from grw_tf.common.flags import option
from grw_tf.streaming.events import EventRules, LabelEventRules
from grw_tf.streaming.exported_file import ExportedFile
from grw_tf.streaming.none_of_these import read_none_of_these

_NAMES = [field.name for field in dataclasses.fields(EventRules)]


def check_memory(exported: ExportedFile, memory_frames: int | None) -> None:
    """Checks that a model that is to forget has a memory.

    Raises:
        ValueError: If it classifies whole clips.
    """
    if memory_frames and exported.classifies_clips:
        raise ValueError(
            f"{exported.path} classifies whole clips, and remembers nothing: leave out"
            " --memory_frames."
        )


@dataclasses.dataclass(frozen=True)
class EventOptions:
    """Changes of what a file's calibration says; each field is a flag."""

    on_threshold: float | None = option(
        None,
        "Score from which on a class is the answer, and an event of it begins; by"
        " default the file's calibrated one. For models that name one class.",
    )
    off_threshold: float | None = option(
        None,
        "Score below which an event ends; by default the file's calibrated share of the"
        " on-threshold, or 0.8 of it. For models that name one class.",
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

    def rules_of_file(
        self, exported: ExportedFile
    ) -> EventRules | LabelEventRules | None:
        """Returns the rules of a file's events, changed as asked.

        For a model with several labels, they are its thresholds. Only another export
        changes these, because a session names classes by them too.

        Returns:
            The rules, or None if there are neither rules nor changes.

        Raises:
            ValueError: As `rules`; also if the file's calibration is damaged, a
                threshold is given for a model with several labels, or a memory for a
                classifier of clips.
        """
        check_memory(exported, self.memory_frames)
        if exported.thresholds is None:
            calibrated = read_none_of_these(
                exported.path, exported.labels, exported.manifest
            )
            return self.rules(calibrated.rules)
        for name in ("on_threshold", "off_threshold"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} is one for all classes, and {exported.path} is the file of"
                    " a model with several labels at once, each with its own threshold:"
                    " leave it out, or export the model with other --thresholds."
                )
        usual = LabelEventRules.of_thresholds(exported.thresholds)
        given: dict[str, Any] = {
            name: value
            for name in ("least_seconds", "merge_gap")
            if (value := getattr(self, name)) is not None
        }
        return dataclasses.replace(usual, **given)
