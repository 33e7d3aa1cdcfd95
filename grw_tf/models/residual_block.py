"""What a residual block of any backbone offers to regularizers."""

import dataclasses

import tf_keras

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization


@dataclasses.dataclass(frozen=True)
class NormSite:
    """A batch normalization that something can come before.

    Attributes:
        norm: The layer.
        fold: How its input is folded, see `grw_tf.layers.unfolded`; None if it is not.
    """

    norm: PerturbedBatchNormalization
    fold: str | None = None


@dataclasses.dataclass(frozen=True)
class ResidualBlock:
    """A block x + F(x).

    Attributes:
        name: Of the block.
        stage: Name of the stage it is in.
        norms: Of F, by the names by which a config chooses among them.
        default: The names of those that RMS comes before by default.
        branch_owner: Layer that calls an attribute of its own upon F(x); None if the
            block has no shortcut.
        branch_attribute: The attribute's name.
        branch_fold: How F(x) is folded there.
    """

    name: str
    stage: str
    norms: dict[str, tuple[NormSite, ...]]
    default: tuple[str, ...]
    branch_owner: tf_keras.layers.Layer | None
    branch_attribute: str
    branch_fold: str | None = None
