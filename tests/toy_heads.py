"""Heads of each type, small enough for `nano` models."""

from grw_tf.models import HeadConfig

HEADS = {
    "official": HeadConfig(),
    "mean": HeadConfig(type="mean", embed_dim=16),
    "transformer": HeadConfig(
        type="transformer", embed_dim=16, depth=2, num_heads=2, mlp_dim=32
    ),
    "causal_transformer": HeadConfig(
        type="causal_transformer", embed_dim=16, depth=2, num_heads=2, mlp_dim=32
    ),
}
