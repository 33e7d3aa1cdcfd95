"""Cutting a sequence of embeddings into windows."""

from types import ModuleType
from typing import Any


def count_windows(frames: int, window: int) -> int:
    """Returns how many windows of `window` frames fit into `frames` frames.

    Raises:
        ValueError: If a window has fewer than 3 frames (no acceleration), or the
            sequence fewer than a window.
    """
    if window < 3:
        raise ValueError(
            f"A GRW window needs at least 3 frames (an acceleration takes three), got"
            f" window={window}."
        )
    if frames < window:
        raise ValueError(
            f"A sequence of N={frames} frames is shorter than one window of"
            f" T={window}: use longer clips or a smaller window."
        )
    return frames // window


def cut_windows(ops: ModuleType, z: Any, window: int) -> Any:
    """Cuts z [batch, N, K] into windows [batch * floor(N / window), window, K].

    Frames after the last whole window are dropped.

    Raises:
        ValueError: If z is not of rank 3, N is not static, or as `count_windows`.
    """
    if len(z.shape) != 3:
        raise ValueError(
            f"Embeddings must have shape [batch, N, K], got {tuple(z.shape)}."
        )
    _, frames, channels = z.shape
    if frames is None:
        raise ValueError(
            "The number of frames N must be static to cut windows, got embeddings of"
            f" shape {tuple(z.shape)}: give the model's input a fixed clip length."
        )
    windows = count_windows(frames, window)
    return ops.reshape(z[:, : windows * window], (-1, window, channels))


def mean_of_windows(
    ops: ModuleType,
    values: Any,
    window: int,
    new_frames: Any,
    shape: tuple[int | None, int],
) -> Any:
    """Returns the mean over clips of the mean over a clip's windows, a scalar.

    Windows without a new frame take no part. A clip that has no window left counts as
    0.

    Args:
        ops: The array library.
        values: Values of the windows of `cut_windows`, [batch * floor(N / window)].
        window: Frames in a window.
        new_frames: bool [batch, N], False for frames that only repeat the one before;
            all are new if it is None.
        shape: (batch, N), which `new_frames` must have; None for what is not known.

    Raises:
        ValueError: If `new_frames` is of another shape or type.
    """
    if new_frames is None:
        return ops.mean(values)
    new_frames = ops.convert_to_tensor(new_frames)
    given = tuple(new_frames.shape)
    if (
        "bool" not in str(new_frames.dtype)
        or len(given) != 2
        or any(
            None not in (one, other) and one != other
            for one, other in zip(given, shape, strict=True)
        )
    ):
        raise ValueError(
            f"new_frames must be bool {list(shape)}, one value for each frame, got"
            f" {new_frames.dtype} {list(given)}."
        )
    windows = count_windows(shape[1], window)
    frames = ops.reshape(new_frames[:, : windows * window], (-1, windows, window))
    counts = ops.any(frames, axis=2)
    values = ops.reshape(values, (-1, windows))
    total = ops.sum(ops.where(counts, values, ops.zeros_like(values)), axis=1)
    of_clip = ops.sum(ops.cast(counts, values.dtype), axis=1)
    return ops.mean(total / ops.maximum(of_clip, 1))
