"""What a residual block of any backbone offers to regularizers."""

import dataclasses

import tensorflow as tf
import tf_keras

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.layers.perturbed_input import let_come_before


@dataclasses.dataclass(frozen=True)
class Site:
    """A place beside a layer of a network, which another layer can take.

    Attributes:
        beside: The layer of the network.
        channels: Channels of the features there.
        side: Whether it is "before" or "after" `beside`.
        fold: How the features are folded there, see `grw_tf.layers.unfolded`; None if
            not at all.
    """

    beside: tf_keras.layers.Layer
    channels: int
    side: str = "before"
    fold: str | None = None

    @property
    def taken_by(self) -> tf_keras.layers.Layer | None:
        """The layer that has taken the place, None if it is free."""
        return getattr(self.beside, self.side, None)

    def give_to(self, layer: tf_keras.layers.Layer | None) -> None:
        """Gives the place to a layer without variables, or frees it.

        Args:
            layer: The layer, which is not saved in checkpoints.
        """
        if not isinstance(self.beside, PerturbedBatchNormalization):
            let_come_before(self.beside)
        attach(self.beside, self.side, layer)


def before_norm(norm: PerturbedBatchNormalization, fold: str | None = None) -> Site:
    """Returns the place before a batch normalization.

    Args:
        norm: The layer.
        fold: How its input is folded, see `Site`.
    """
    return Site(norm, norm.moving_mean.shape[0], "before", fold)


def after_norm(norm: PerturbedBatchNormalization, fold: str | None = None) -> Site:
    """Returns the place after a batch normalization, which is before its activation.

    Args:
        norm: The layer.
        fold: How its output is folded, see `Site`.
    """
    return Site(norm, norm.moving_mean.shape[0], "after", fold)


@tf.__internal__.tracking.no_automatic_dependency_tracking
def attach(
    owner: tf_keras.layers.Layer, attribute: str, layer: tf_keras.layers.Layer | None
) -> None:
    """Sets an attribute that is not saved in checkpoints.

    Args:
        owner: The layer that has the attribute.
        attribute: Its name.
        layer: Its value.
    """
    setattr(owner, attribute, layer)


@dataclasses.dataclass(frozen=True)
class ResidualBlock:
    """A block x + F(x).

    Attributes:
        name: Name of the block.
        stage: Name of its stage.
        places: Places in F, by the names that a config can choose, in F's order.
        default: Names of those that RMS takes by default.
        branch_owner: Layer that calls one of its attributes on F(x); None if the block
            has no shortcut.
        branch_attribute: The attribute's name.
        branch_fold: How F(x) is folded there.
        layer: The layer that computes the block alone; None if several layers do.
    """

    name: str
    stage: str
    places: dict[str, tuple[Site, ...]]
    default: tuple[str, ...]
    branch_owner: tf_keras.layers.Layer | None
    branch_attribute: str
    branch_fold: str | None = None
    layer: tf_keras.layers.Layer | None = None
