"""What a residual block of any backbone offers to regularizers."""

import dataclasses

import tf_keras

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization


@dataclasses.dataclass(frozen=True)
class NormSite:
    """A batch normalization that a layer can come before.

    Attributes:
        norm: The layer.
        fold: How its input is folded, see `grw_tf.layers.unfolded`; None if not at all.
    """

    norm: PerturbedBatchNormalization
    fold: str | None = None


@dataclasses.dataclass(frozen=True)
class ResidualBlock:
    """A block x + F(x).

    Attributes:
        name: Name of the block.
        stage: Name of its stage.
        norms: Batch normalizations in F, by the names that a config can choose.
        default: Names of those that RMS comes before by default.
        branch_owner: Layer that calls one of its attributes on F(x); None if the block
            has no shortcut.
        branch_attribute: The attribute's name.
        branch_fold: How F(x) is folded there.
        layer: The layer that computes the block alone; None if several layers do.
    """

    name: str
    stage: str
    norms: dict[str, tuple[NormSite, ...]]
    default: tuple[str, ...]
    branch_owner: tf_keras.layers.Layer | None
    branch_attribute: str
    branch_fold: str | None = None
    layer: tf_keras.layers.Layer | None = None
