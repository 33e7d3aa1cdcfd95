"""Layers that compute their activations again in the backward pass, to save memory."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras.src.backend import RandomGenerator


def recompute(layer: tf_keras.layers.Layer) -> None:
    """Lets a built layer keep only its input for the backward pass of training.

    Its activations are computed again there (gradient checkpointing). Outputs,
    gradients and moving statistics stay the same: the second pass moves no statistics
    and draws the random numbers of the first. Variables, checkpoints and inference do
    not change.

    Args:
        layer: A layer of one tensor, whose output is a tensor or a pair of a tensor and
            states. States get no gradient. Layers within it draw random numbers by
            Keras' generators alone.
    """
    second_pass = _SecondPass(dtype=layer.dtype_policy, autocast=False)
    for within in layer.submodules:
        if isinstance(within, tf_keras.layers.Layer):
            within.add_update = second_pass.without(within.add_update)
    for drawing in _drawing_layers(layer):
        drawing._random_generator = _KeptSeedGenerator()
    recomputed = _Recomputed(layer, second_pass)

    # A function, because a layer as an attribute would be in checkpoints.
    @tf.autograph.experimental.do_not_convert
    def call(inputs, **kwargs):
        return recomputed(inputs, **kwargs)

    layer.call = call


class _Recomputed(tf_keras.layers.Layer):
    """Calls a layer, and in training lets it be called again in the backward pass.

    A layer itself, because Keras tells only layers whether they train.
    """

    def __init__(self, layer, second_pass):
        super().__init__(dtype=layer.dtype_policy, autocast=False)
        # Methods are not tracked.
        self._function = layer.call
        self._drawing_layers = lambda: _drawing_layers(layer)
        self._second_pass = second_pass

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None, **kwargs: Any
    ) -> Any:
        if training is not True:
            return self._function(inputs, **kwargs)
        # Generators of training steps repeat their numbers by themselves.
        generators = [
            drawing._random_generator
            for drawing in self._drawing_layers()
            if isinstance(drawing._random_generator, _KeptSeedGenerator)
        ]
        seeds = [generator.new_seed() for generator in generators]
        states = None

        def first(x):
            nonlocal states
            with _kept(generators, seeds):
                outputs = self._function(x, **kwargs)
            if not isinstance(outputs, tuple):
                return outputs
            outputs, states = outputs
            return outputs

        def again(x):
            with _kept(generators, seeds):
                outputs = self._second_pass(
                    x, self._function, kwargs, training=training
                )
            return outputs[0] if isinstance(outputs, tuple) else outputs

        passes = itertools.chain([first], itertools.repeat(again))
        outputs = tf.recompute_grad(lambda x: next(passes)(x))(inputs)
        return outputs if states is None else (outputs, states)


class _SecondPass(tf_keras.layers.Layer):
    """Calls a function as in training, which Keras does not know when it goes back."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # Each replica is traced in a thread of its own.
        self._replica = threading.local()

    def call(
        self,
        inputs: tf.Tensor,
        function: Callable,
        arguments: dict[str, Any],
        training: bool | None = None,
    ) -> Any:
        self._replica.passes = True
        try:
            return function(inputs, **arguments)
        finally:
            self._replica.passes = False

    def without(self, update: Callable) -> Callable:
        """Returns a function that does nothing within this pass."""
        return lambda *args: (
            None if getattr(self._replica, "passes", False) else update(*args)
        )


class _KeptSeedGenerator(RandomGenerator):
    """Draws the same numbers again as long as its seed is kept."""

    def __init__(self):
        super().__init__(rng_type=self.RNG_STATELESS, seed=0)
        self._replica = threading.local()

    @staticmethod
    def new_seed() -> tf.Tensor:
        """Returns a seed, int64 [2]."""
        return tf.random.uniform((2,), maxval=tf.int64.max, dtype=tf.int64)

    @contextlib.contextmanager
    def kept(self, seed: tf.Tensor) -> Iterator[None]:
        """Draws by a seed within the context."""
        self._replica.seed = seed
        try:
            yield
        finally:
            del self._replica.seed

    def make_seed_for_stateless_op(self) -> tf.Tensor:
        """Returns the kept seed, or else a new one."""
        seed = getattr(self._replica, "seed", None)
        return self.new_seed() if seed is None else seed


@contextlib.contextmanager
def _kept(generators, seeds):
    with contextlib.ExitStack() as stack:
        for generator, seed in zip(generators, seeds, strict=True):
            stack.enter_context(generator.kept(seed))
        yield


def _drawing_layers(layer):
    return [one for one in layer.submodules if hasattr(one, "_random_generator")]
