"""Measures what quantization does to a model's logits."""

from collections.abc import Sequence

import numpy as np

from grw_tf.export.quantization.calibration import Segment
from grw_tf.export.quantization.rollouts import Rollout


class LogitsError:
    """Root mean square errors of a quantized model's logits, over segments of streams.

    They are relative to the standard deviation of the float32 model's logits.

    Args:
        content: The float32 TFLite model.
        segments: Where to measure.
        threads: Number of threads to measure with.
        softmax: Whether a softmax follows, which what is added to all classes alike
            does not change.
    """

    def __init__(
        self,
        content: bytes,
        segments: Sequence[Segment],
        threads: int = 1,
        softmax: bool = True,
    ):
        self._softmax = softmax
        self._segments = segments
        self._threads = threads
        self._expected = self._logits(content)
        self._scales = [max(e.std(), 1e-9) for e in self._expected]

    def __call__(self, content: bytes) -> float:
        """Returns the error of a quantized model."""
        powers = [
            np.mean(np.square((actual - expected) / scale))
            for actual, expected, scale in zip(
                self._logits(content), self._expected, self._scales, strict=True
            )
        ]
        return float(np.sqrt(np.mean(powers)))

    def _logits(self, content):
        rollout = Rollout(content, self._threads)
        found = []
        for segment in self._segments:
            rollout.restart(segment.states)
            logits = rollout.logits(segment.frames)
            if self._softmax and logits.shape[-1] > 1:
                logits = logits - logits.mean(-1, keepdims=True)
            found.append(logits)
        return found
