"""How implementations of a network differ where their variables do not show it.

Weights give right numbers only with the conventions that they were trained with.
"""

import dataclasses

import tensorflow as tf
import tf_keras

from grw_tf.layers.symmetric_padding import pad_symmetrically

TENSORFLOW, PYTORCHVIDEO, MMACTION2 = "tensorflow", "pytorchvideo", "mmaction2"


@dataclasses.dataclass(frozen=True)
class Conventions:
    """What an implementation of a 3-D ResNet does in its own way.

    The defaults are those of networks that are trained here.

    Attributes:
        mean, deviation: Of red, green and blue in 0..1: the network sees frames minus
            `mean`, divided by `deviation`. Padding comes after that.
        pads_symmetrically: Whether strided convolutions and poolings pad both sides
            alike, as PyTorch does. TensorFlow's "same" pads even sizes more at the end,
            which moves the grid of each stage.
        slow_frames_span_clip: Whether the frames of SlowFast's slow pathway reach from
            the first to the last frame of the clip. Otherwise each is the first of
            `alpha` frames.
        normalizes_laterals: Whether a batch normalization and a ReLU follow SlowFast's
            lateral connections.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pads_symmetrically: bool = False
    slow_frames_span_clip: bool = False
    normalizes_laterals: bool = True

    @property
    def normalizes_frames(self) -> bool:
        """Whether the network sees other values than those in 0..1."""
        return any(self.mean) or set(self.deviation) != {1.0}

    def normalize(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns frames [..., 3] in 0..1 as the network's first layer sees them."""
        if not self.normalizes_frames:
            return frames
        return tf.divide(tf.subtract(frames, self.mean), self.deviation)

    def pad(self, network: tf.Module) -> None:
        """Makes the layers of a built network pad as the implementation does."""
        if not self.pads_symmetrically:
            return
        kinds = tf_keras.layers.Conv3D, tf_keras.layers.MaxPool3D
        for layer in network.submodules:
            if isinstance(layer, kinds) and layer.padding == "same":
                pad_symmetrically(layer)

    def slow_frames(self, frames: int, alpha: int) -> list[int]:
        """Returns which of a clip's frames SlowFast's slow pathway sees.

        Args:
            frames: Of the clip, a multiple of `alpha`.
            alpha: How many frames there are for one of the slow pathway.
        """
        count = frames // alpha
        if not self.slow_frames_span_clip or count == 1:
            return list(range(0, frames, alpha))
        return [index * (frames - 1) // (count - 1) for index in range(count)]


def _of_bytes(*values):
    return tuple(value / 255 for value in values)


# ImageNet's, in MMAction2's configs of SlowOnly and SlowFast.
_MMACTION2 = Conventions(
    mean=_of_bytes(123.675, 116.28, 103.53),
    deviation=_of_bytes(58.395, 57.12, 57.375),
    pads_symmetrically=True,
    normalizes_laterals=False,
)

RESNETS = {
    TENSORFLOW: Conventions(),
    PYTORCHVIDEO: Conventions(
        mean=(0.45,) * 3,
        deviation=(0.225,) * 3,
        pads_symmetrically=True,
        slow_frames_span_clip=True,
    ),
    MMACTION2: _MMACTION2,
}
"""Conventions of SlowOnly and SlowFast by implementation. Those of PyTorchVideo are
also SlowFast's own, by its authors."""

CSNS = {
    TENSORFLOW: Conventions(),
    # Those of the authors' code, from which MMAction2's weights come.
    MMACTION2: dataclasses.replace(
        _MMACTION2,
        mean=_of_bytes(110.2008, 100.63983, 95.99475),
        deviation=_of_bytes(58.14765, 56.46975, 55.332195),
    ),
}
"""Conventions of channel-separated networks by implementation. PyTorchVideo's is
another network, with narrower blocks."""
