"""Places regularizers in a backbone, as the config says."""

import dataclasses
from collections.abc import Callable

import tf_keras

from grw_tf.layers import RandomDrop, RandomMeanScaling, ShakeDrop
from grw_tf.layers.alpha_distribution import Uniform, parse_distribution
from grw_tf.layers.unfolded import Unfolded
from grw_tf.models.config import ModelConfig
from grw_tf.models.registered_layer import make_registered_layer
from grw_tf.models.regularization_config import OwnLayerConfig, RMSConfig
from grw_tf.models.residual_block import ResidualBlock, Site, attach

_LATE_STAGES = 2


def regularize(blocks: list[ResidualBlock], config: ModelConfig) -> None:
    """Lets the regularizers that a config chooses act in residual blocks.

    They add nothing to checkpoints, and do nothing at inference, except RMS if the mean
    of its alpha is not 1.

    Args:
        blocks: All blocks of a backbone, in the network's order.
        config: The model's config.

    Raises:
        ValueError: If the config names something that the blocks lack, or has unusable
            values.
    """
    chosen = config.regularization
    if "rms" in chosen.methods:
        sites = chosen_sites(blocks, chosen.rms)
        place_scaling(sites, RandomMeanScaling, chosen.rms, config)
    if "own_layer" in chosen.methods:
        _place_own(blocks, chosen.own_layer, config)
    if "random_drop" in chosen.methods:
        _place_drops(blocks, RandomDrop, chosen.random_drop, config.frames)
    if "shake_drop" in chosen.methods:
        _place_drops(blocks, ShakeDrop, chosen.shake_drop, config.frames)


def lasting_rms(config: ModelConfig) -> RMSConfig | None:
    """Returns a model's RMS if it acts at inference too: if alpha's mean is not 1.

    Fields that have no effect then have their defaults, so that equal results act
    alike.
    """
    rms = config.regularization.rms
    mean = parse_distribution(rms.distribution).mean
    if "rms" not in config.regularization.methods or mean == 1:
        return None
    default = RMSConfig()
    return dataclasses.replace(
        rms,
        distribution=str(Uniform(mean, mean)),
        level=default.level,
        std=rms.std if rms.filter == "gaussian" else default.std,
    )


def chosen_sites(
    blocks: list[ResidualBlock],
    rms: RMSConfig | OwnLayerConfig,
    named: str = "regularization.rms.",
) -> list[Site]:
    """Returns the places that RMS takes, in the network's order.

    Args:
        blocks: All blocks of a backbone, in the network's order.
        rms: Config whose `before` and `blocks` choose among them.
        named: What error messages put before these two names.

    Raises:
        ValueError: If they name something that the blocks lack.
    """
    selected = _select(blocks, rms.blocks, named)
    if not any(block.places for block in selected):
        raise ValueError(
            f"{named}before names batch normalizations and other parts, and the blocks"
            f" {', '.join(_names(selected)) or '(none)'} have none: choose other blocks"
            " or leave the method out."
        )
    _check_places(selected, rms.before, named)
    return [
        site
        for block in selected
        for place in rms.before or block.default
        for site in block.places.get(place, ())
    ]


def place_scaling(
    sites: list[Site],
    make_layer: Callable[..., tf_keras.layers.Layer],
    rms: RMSConfig,
    config: ModelConfig,
) -> None:
    """Gives a new layer to each of the places of `chosen_sites`.

    Args:
        sites: Results of `chosen_sites`.
        make_layer: `RandomMeanScaling`, or a function of the same arguments.
        rms: The layers' arguments.
        config: The model's config.
    """
    arguments = dataclasses.asdict(rms)
    del arguments["before"], arguments["blocks"]
    for site in sites:
        layer = make_layer(causal=config.backbone.causal, **arguments)
        site.give_to(_unfolded(layer, site.fold, config.frames))


def _place_own(blocks, own, config):
    for site in chosen_sites(blocks, own, "regularization.own_layer."):
        if site.taken_by is not None:
            raise ValueError(
                "regularization.own_layer and regularization.rms come before the same"
                f" part of a block, {site.side} {site.beside.name}: choose other places"
                " for one."
            )
        layer = make_registered_layer(own, site.channels)
        site.give_to(_unfolded(layer, site.fold, config.frames))


def _select(blocks, wanted, named):
    stages = list(dict.fromkeys(block.stage for block in blocks))
    unknown = [name for name in wanted if name not in {*stages, *_names(blocks)}]
    if unknown:
        raise ValueError(
            f"{named}blocks has {unknown[0]!r:.80}, which matches nothing;"
            f" there are the stages {', '.join(stages)} and the blocks"
            f" {', '.join(_names(blocks))}."
        )
    wanted = wanted or stages[-_LATE_STAGES:]
    return [block for block in blocks if {block.name, block.stage} & set(wanted)]


def _check_places(selected, before, named):
    there = list(dict.fromkeys(place for block in selected for place in block.places))
    unknown = [place for place in before if place not in there]
    if unknown:
        raise ValueError(
            f"{named}before has {unknown[0]!r:.80}, which matches nothing;"
            f" the blocks {', '.join(_names(selected))} have {', '.join(there)}."
        )


def _names(blocks):
    return [block.name for block in blocks]


def _place_drops(blocks, layer_class, drop, frames):
    """Drops later blocks more often, as in both methods' papers."""
    arguments = dataclasses.asdict(drop)
    rate = arguments.pop("rate")
    if all(block.branch_owner is None for block in blocks):
        raise ValueError(
            f"regularization.methods has {layer_class.__name__}, which drops branches"
            f" of residual blocks, and the {len(blocks)} blocks of the network have"
            " none: leave it out."
        )
    for number, block in enumerate(blocks, start=1):
        if block.branch_owner is not None:
            layer = layer_class(rate=rate * number / len(blocks), **arguments)
            layer = _unfolded(layer, block.branch_fold, frames)
            attach(block.branch_owner, block.branch_attribute, layer)


def _unfolded(layer, fold, frames):
    return layer if fold is None else Unfolded(layer, fold, frames)
