"""Published numbers for Kinetics-600: its test clips, and accuracies on them."""

from grw_tf.models import ModelConfig
from grw_tf.weights.torch.names import model_name

CLASSES = 600
TEST_CLIPS = 60_000
"""About 100 per class: Carreira et al., arXiv 1808.01340, Table 1."""

_PUBLISHED_TOP_1 = {"a0s": 0.784, "a1s": 0.819, "a2s": 0.833, "a3b": 0.856}


def published_top_1(config: ModelConfig) -> float | None:
    """Returns the published top-1 of a model with GRW weights, None if there is none.

    The source is arXiv 2511.20928, Table 1. The number belongs to the published
    weights, whatever the weights of this model are.
    """
    if config.head.type != "transformer" or config.num_classes != CLASSES:
        return None
    return _PUBLISHED_TOP_1.get(model_name(config))
