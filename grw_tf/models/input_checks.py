"""Checks of the frames and states given to a model."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf


def check_frames(frames: tf.Tensor, shape: tuple[int | None, ...]) -> None:
    """Checks frames given to a model.

    Args:
        frames: A tensor [batch, time, height, width, 3].
        shape: The expected (time, height, width, 3), None for any.

    Raises:
        ValueError: If they have another shape, or are not floating point.
    """
    given = tuple(frames.shape)
    if len(given) != 5 or any(
        want is not None and size not in (None, want)
        for size, want in zip(given[1:], shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(
            f"The model's config needs clips [batch, {wanted}] of frames, height, width"
            f" and RGB, got {given}: sample such clips, or change frames and size in"
            " the config."
        )
    if shape[0] is None and not given[1]:
        raise ValueError(f"Frames need a known time of at least 1, got {given}.")
    if not tf.as_dtype(frames.dtype).is_floating:
        raise ValueError(
            f"Frames must be floating point in 0..1, got {frames.dtype}: divide bytes"
            " by 255."
        )


class ClipInput:
    """Mixin of a Keras model with a `config`: checks the clips it is called on.

    It checks in `__call__`, because Keras rewords errors of `call`.
    """

    def __call__(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        check_frames(_clip_of(inputs), self._clip_shape)
        # The Keras model beside this class has it.
        return super().__call__(inputs, *args, **kwargs)  # type: ignore[misc]

    def clip(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns an input's clips, with the config's shape where it is unknown."""
        clip = _clip_of(inputs)
        if None in tuple(clip.shape[1:]):
            clip = tf.ensure_shape(clip, (None, *self._clip_shape))
        return clip

    @property
    def _clip_shape(self):
        return self.config.frames, self.config.size, self.config.size, 3


def _clip_of(inputs):
    return inputs["image"] if isinstance(inputs, dict) else inputs


def check_states(
    states: Mapping[str, tf.Tensor], specs: Mapping[str, tf.TensorSpec]
) -> None:
    """Checks the names and shapes of the states given to a stream.

    Raises:
        ValueError: If one is missing, unknown or of another shape.
    """
    missing = sorted(set(specs) - set(states))
    unknown = sorted(set(states) - set(specs))
    if missing or unknown:
        raise ValueError(
            "States must be those of initial_states or of the last step:"
            f" {len(missing)} missing {missing[:3]}, {len(unknown)} unknown"
            f" {unknown[:3]}."
        )
    for name, spec in specs.items():
        if not spec.shape.is_compatible_with(states[name].shape):
            raise ValueError(
                f"State {name} must have shape {spec.shape} for these frames, got"
                f" {states[name].shape}: a stream keeps its batch size."
            )
