"""The models of the table, by name."""

from grw_tf.common.suggestions import suggest
from grw_tf.models import ModelConfig
from grw_tf.models.mobilenet_backbone import MODEL_IDS as MOBILENETS
from grw_tf.models.presets import PRESETS, official_config
from grw_tf.models.tsm_backbone import MODEL_IDS as SHIFTED

_SIZES = ("a0", "a1", "a2", "a3", "a4", "a5")
# Models with published weights.
_PUBLISHED_GRW = ("a0_stream_grw", "a1_stream_grw", "a2_stream_grw", "a3_base_grw")
_KNOWN = {
    "t0_base": official_config("t0", causal=False),
    "t0_stream": official_config("t0", causal=True),
    **PRESETS,
}
_ALL = (
    *(f"{size}_base" for size in ("t0", *_SIZES)),
    *(f"{size}_stream" for size in ("t0", *_SIZES)),
    *_PUBLISHED_GRW,
    *MOBILENETS,
    *SHIFTED,
    *(f"{name}_grw" for name in MOBILENETS),
    "slowonly_34",
    "slowonly_50",
    "slowfast_50_4x16",
    "slowfast_50_8x8",
    "csn_ip_50",
    "csn_ir_50",
)


def choose_models(names: str) -> dict[str, ModelConfig]:
    """Returns the configs of models by name.

    Args:
        names: Names of presets, t0_base and t0_stream, separated by commas; empty for
            the models of the table.

    Raises:
        ValueError: If a name is unknown.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()] or _ALL
    for name in wanted:
        if name not in _KNOWN:
            hint = suggest(name, sorted(_KNOWN))
            raise ValueError(f"Unknown model {name!r:.80}; {hint}")
    return {name: _KNOWN[name] for name in wanted}
