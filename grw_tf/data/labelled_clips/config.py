"""The configuration of a set of labeled clips."""

import dataclasses
import os
from typing import Any

import tensorflow_datasets as tfds

from grw_tf.data.preparation.config import PreparationConfig

_LATER_SETTINGS = ("label_separator", "negative_label", "background_ratio")


@dataclasses.dataclass(kw_only=True)
class LabelledClipsConfig(tfds.core.BuilderConfig):
    """One set of labeled clips.

    Besides the attributes of TFDS, it has those of `PreparationConfig`, with the same
    defaults. Paths of videos and tables are made absolute, since workers run in other
    folders.

    Raises:
        ValueError: If a setting has the wrong type or is out of its range.
    """

    input: str = PreparationConfig.input
    csv: str = PreparationConfig.csv
    annotations: str = PreparationConfig.annotations
    labels: str = PreparationConfig.labels
    label_separator: str = PreparationConfig.label_separator
    negative_label: str = PreparationConfig.negative_label
    fps: float = PreparationConfig.fps
    short_side: int = PreparationConfig.short_side
    jpeg_quality: int = PreparationConfig.jpeg_quality
    min_frames: int = PreparationConfig.min_frames
    validation_fraction: float = PreparationConfig.validation_fraction
    test_fraction: float = PreparationConfig.test_fraction
    background_ratio: float = PreparationConfig.background_ratio
    strict: bool = PreparationConfig.strict

    def __post_init__(self):
        for field in _own_fields():
            value = getattr(self, field.name)
            # JSON writes 5.0 as 5.
            allowed = (int, float) if field.type is float else field.type
            wrong_bool = isinstance(value, bool) and field.type is not bool
            if wrong_bool or not isinstance(value, allowed):
                raise ValueError(
                    f"{field.name} is {value!r}: expected {field.type.__name__}."
                )
        self.input = self.input and os.path.abspath(self.input)
        self.csv = self.csv and os.path.abspath(self.csv)
        self.annotations = self.annotations and os.path.abspath(self.annotations)
        # It checks the values.
        self.preparation()

    def preparation(self) -> PreparationConfig:
        """Returns the settings of the conversion."""
        return PreparationConfig(
            **{f.name: getattr(self, f.name) for f in _own_fields()}
        )

    def content(self) -> dict[str, Any]:
        """Returns the settings that distinguish one built data set from another."""
        settings = {f.name: getattr(self, f.name) for f in _own_fields()}
        # Once built, a data set is the same with and without it.
        del settings["strict"]
        # Sets that were built before these settings existed lack them.
        for name in _LATER_SETTINGS:
            if not settings[name]:
                del settings[name]
        return settings


def _own_fields() -> list[dataclasses.Field]:
    tfds_fields = {f.name for f in dataclasses.fields(tfds.core.BuilderConfig)}
    fields = dataclasses.fields(LabelledClipsConfig)
    return [field for field in fields if field.name not in tfds_fields]
