"""Cutting a sequence of embeddings into windows."""


def count_windows(frames, window):
    """Returns how many windows of `window` frames fit into `frames` frames.

    Raises:
      ValueError: if a window has fewer than 3 frames (no acceleration), or the
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


def cut_windows(ops, z, window):
    """Cuts z [batch, N, K] into windows [batch * floor(N / window), window, K].

    Frames after the last whole window are dropped.

    Raises:
      ValueError: if z is not of rank 3, N is not static, or as `count_windows`.
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
