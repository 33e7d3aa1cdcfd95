"""Block specs of MoViNets: the Model Garden's, and smaller ones for toy data."""

from official.projects.movinet.modeling import movinet

_HALVED, _SAME = (1, 2, 2), (1, 1, 1)

NANO = (
    movinet.StemSpec(filters=8, kernel_size=(1, 3, 3), strides=_HALVED),
    movinet.MovinetBlockSpec(
        base_filters=12,
        expand_filters=(24,),
        kernel_sizes=((3, 3, 3),),
        strides=(_HALVED,),
    ),
    movinet.MovinetBlockSpec(
        base_filters=24,
        expand_filters=(48, 48),
        kernel_sizes=((3, 3, 3), (3, 3, 3)),
        strides=(_HALVED, _SAME),
    ),
    movinet.HeadSpec(project_filters=64, head_filters=128),
)
"""For frames of 32-64 px: three blocks."""

# The Model Garden finds block specs by model id in this dict.
movinet.BLOCK_SPECS["nano"] = NANO


def endpoint_names(model_id: str) -> list[str]:
    """Lists the endpoints [batch, N, height, width, channels] of a backbone.

    "head" is the last, after the projection and the pooling over space.
    """
    names = ["stem"]
    for block, spec in enumerate(movinet.BLOCK_SPECS[model_id][1:-1]):
        names += [f"block{block}_layer{i}" for i in range(len(spec.expand_filters))]
    return [*names, "head"]


def head_hidden_channels(model_id: str) -> int:
    """Returns the channels of the hidden layer of a MoViNet's official head."""
    return movinet.BLOCK_SPECS[model_id][-1].head_filters


def model_ids() -> list[str]:
    """Lists the model ids of MoViNets."""
    return sorted(movinet.BLOCK_SPECS)


def check_model_id(model_id: str) -> None:
    """Raises a ValueError for a model id that is not a MoViNet's."""
    if model_id not in movinet.BLOCK_SPECS:
        raise ValueError(
            f"Unknown model_id {model_id!r}; known: {', '.join(model_ids())}."
        )
