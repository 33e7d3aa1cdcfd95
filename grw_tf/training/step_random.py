"""Randomness of layers that depends on the step alone, not on the steps before."""

import tensorflow as tf
from tf_keras.src.backend import RandomGenerator


class StepGenerator(RandomGenerator):
    """Draws by a seed, the step of training and the replica.

    Keras' own generators draw by a state that no checkpoint holds.

    Args:
        seed: Whole number.
        step: Variable of the steps done.
    """

    def __init__(self, seed, step):
        super().__init__(seed, rng_type=self.RNG_STATELESS)
        self._step = step

    def make_seed_for_stateless_op(self):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack(
            [tf.constant(self._seed, tf.int64), tf.cast(self._step, tf.int64)]
        )
        return tf.random.fold_in(seed, tf.cast(replica, tf.int64))


def draw_by_step(model, seed, step):
    """Lets the random layers of a model (dropout, stochastic depth) draw by the step.

    Args:
        model: Whose layers get generators, each another one.
        seed: Whole number.
        step: Variable of the steps done.
    """
    layers = [
        layer for layer in model.submodules if hasattr(layer, "_random_generator")
    ]
    for number, layer in enumerate(layers):
        layer._random_generator = StepGenerator(seed * len(layers) + number, step)
