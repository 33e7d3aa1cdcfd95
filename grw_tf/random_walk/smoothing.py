"""What the GRW layers for Keras 2 (`tf_keras`) and Keras 3 share.

`Smoothing` and `IntermediateSmoothing` are mixins: placed before a Keras `Layer`, they
do everything that does not differ between the two versions of Keras.
"""

from collections.abc import Sequence
from typing import Any

from grw_tf.random_walk import orders as orders_lib
from grw_tf.random_walk import terms as terms_lib
from grw_tf.random_walk import windows


class Smoothing:
    """Arguments, checks and loss of a layer on embeddings [batch, N, K].

    A subclass sets its array library as `ops`, and defines `_create_step`,
    `_advance_step` and `_log`.
    """

    ops: Any = None
    # What the Keras layer and the subclass define.
    name: str
    add_loss: Any
    _create_step: Any
    _log: Any
    METRICS: tuple[str, ...] = ("loss", "velocity", "order_accuracy")
    INPUT_AXES: tuple[str, ...] = ("batch", "N", "K")

    def __init__(
        self,
        window: int,
        weight: float = 0.1,
        alpha: float = 0.5,
        warmup_steps: int = 0,
        orders: str = "auto",
        max_orders: int = 1000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._method = orders_lib.choose_method(window, orders, max_orders)
        for name, value in (
            ("weight", weight),
            ("alpha", alpha),
            ("warmup_steps", warmup_steps),
        ):
            if value < 0:
                raise ValueError(
                    f"Layer '{self.name}': {name} must not be negative, got {value}."
                )
        self.window = window
        self.weight = weight
        self.alpha = alpha
        self.warmup_steps = warmup_steps
        self.orders = orders
        self.max_orders = max_orders
        self.seed = seed

    def build(self, input_shape: Sequence[int | None]) -> None:
        if len(input_shape) != len(self.INPUT_AXES):
            raise ValueError(
                f"Layer '{self.name}' takes inputs [{', '.join(self.INPUT_AXES)}], got"
                f" shape {tuple(input_shape)}."
            )
        if input_shape[1] is not None:
            try:
                windows.count_windows(input_shape[1], self.window)
            except ValueError as error:
                raise ValueError(f"Layer '{self.name}': {error}") from None
        if self.warmup_steps:
            self._step = self._create_step()
        super().build(input_shape)  # type: ignore[misc]  # The Keras layer has it.

    def call(self, inputs: Any, training: Any = None, new_frames: Any = None) -> Any:
        if training and self.weight:
            z = windows.cut_windows(self.ops, self._embed(inputs), self.window)
            terms = terms_lib.grw_terms(
                self.ops, z, self.orders, self.max_orders, self.seed
            )
            # The only place where windows and clips are reduced to one loss.
            loss, velocity, order_accuracy = (
                windows.mean_of_windows(
                    self.ops, values, self.window, new_frames, inputs.shape[:2]
                )
                for values in (
                    terms.loss(self.alpha),
                    terms.velocity,
                    terms.order_accuracy,
                )
            )
            self._log(loss, velocity, order_accuracy)
            self.add_loss(self._current_weight(loss.dtype) * loss)
        return inputs

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),  # type: ignore[misc]  # As above.
            "window": self.window,
            "weight": self.weight,
            "alpha": self.alpha,
            "warmup_steps": self.warmup_steps,
            "orders": self.orders,
            "max_orders": self.max_orders,
            "seed": self.seed,
        }

    def _embed(self, inputs):
        return inputs

    def _current_weight(self, dtype):
        if not self.warmup_steps:
            return self.weight
        done = self.ops.cast(self._step, dtype) / self.warmup_steps
        self._advance_step()
        return self.weight * self.ops.minimum(done, 1.0)


class IntermediateSmoothing(Smoothing):
    """`Smoothing` for the frames of a feature map.

    A subclass creates `self._batch_norm`, a batch normalization of [batch, N, channels]
    without learned scale and offset.
    """

    INPUT_AXES = ("batch", "N", "height", "width", "channels")

    def __init__(
        self,
        window: int,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        synchronized: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(window, **kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }

    def _batch_norm_arguments(self):
        return {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": False,
            "scale": False,
            "dtype": "float64" if self.compute_dtype == "float64" else "float32",
            "name": "batch_norm",
        }

    def _embed(self, inputs):
        # A float16 sum over space could overflow.
        features = self.ops.cast(inputs, self._batch_norm.compute_dtype)
        pooled = self.ops.mean(features, axis=(2, 3))
        return self._batch_norm(pooled, training=True)
