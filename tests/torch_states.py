"""State dicts of the published form, with random weights."""

import numpy as np

from grw_tf.weights.torch.names import counters, torch_tensors

PARAMS = dict(embed_dim=64, depth=1, num_heads=8, mlp_dim=1024, num_classes=600)


def random_state(config, seed=0):
    """Returns a random state dict of a model."""
    rng = np.random.default_rng(seed)
    shapes = {key: tensor.shape for key, tensor in torch_tensors(config).items()}
    state = {k: rng.uniform(0.1, 1, s).astype("float32") for k, s in shapes.items()}
    return state | {key: np.array(3, np.int64) for key in counters(shapes)}
