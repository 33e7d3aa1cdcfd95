"""Random numbers of layers that depend on the step alone, so that training resumes."""

import tensorflow as tf
import tf_keras
from tf_keras.src.backend import RandomGenerator


class StepGenerator(RandomGenerator):
    """Seeds random operations by a seed, the training step and the replica.

    Keras' own generators have a state that checkpoints do not hold.
    """

    def __init__(self, seed: int, step: tf.Variable):
        super().__init__(seed, rng_type=self.RNG_STATELESS)
        self._step = step

    def make_seed_for_stateless_op(self) -> tf.Tensor:
        """Returns the seed of the present step and replica, int64 `[2]`."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack(
            [tf.constant(self._seed, tf.int64), tf.cast(self._step, tf.int64)]
        )
        return tf.random.fold_in(seed, tf.cast(replica, tf.int64))


def draw_by_step(model: tf_keras.Model, seed: int, step: tf.Variable) -> None:
    """Makes each random layer of a model, such as dropout, draw by a count of steps."""
    layers = [one for one in model.submodules if hasattr(one, "_random_generator")]
    for number, layer in enumerate(layers):
        layer._random_generator = StepGenerator(seed * len(layers) + number, step)
