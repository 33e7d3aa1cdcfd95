"""Where GRW smoothing can attach to a model."""

from grw_tf.models.backbone import endpoint_names
from grw_tf.models.config import ModelConfig
from grw_tf.models.smoothing import FINAL, frame_places

LAST_BLOCK = "last_block"
"""Stands in configs for the backbone's last endpoint before its head."""


def smoothing_places(config: ModelConfig) -> list[str]:
    """Lists the places of a model that embed each frame, in its order."""
    return frame_places(config, endpoint_names(config))


def last_block(config: ModelConfig) -> str:
    """Returns the name of the backbone's last endpoint before its head."""
    places = smoothing_places(config)
    return [place for place in places if place not in ("head", FINAL)][-1]
