"""Backbones of each family, small, as the `nano` fixture takes them."""

from everyday import slow_but
from toy_heads import HEADS

from grw_tf.models import BackboneConfig, preset

BASE = vars(preset("a0_base").backbone) | {"model_id": "nano"}
"""A MoViNet that is not causal."""

BACKBONES = {
    "nano": {},
    **{
        model_id: vars(BackboneConfig.of_family(model_id))
        for model_id in (
            "slowonly_nano",
            "slowonly_nano_bottleneck",
            "slowfast_nano",
            "csn_nano",
            "mobilenet_v3_small",
        )
    },
}
"""By model id: a MoViNet, 3-D ResNets of all blocks, and a MobileNetV3."""

OTHERS = [model_id for model_id in BACKBONES if model_id != "nano"]
"""Those that are no MoViNets."""

OTHERS_WITH_HEADS = slow_but(
    [("slowonly_nano", "official"), ("slowonly_nano", "transformer")],
    [
        *(("slowonly_nano", head) for head in HEADS),
        ("slowonly_nano_bottleneck", "official"),
        ("slowfast_nano", "official"),
        ("csn_nano", "official"),
        *(("mobilenet_v3_small", head) for head in HEADS),
    ],
)
"""Pairs of one of them and the name of a head."""
